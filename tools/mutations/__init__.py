"""Shows that the tests of SECURITY.md can fail: takes out one protection after the other and runs the test that should
notice.
"""
