"""`python -m photocaption.keys NAME` makes an API key: prints the key, to give away, and its entry for the settings."""

import argparse
import hashlib
import secrets


def make_key(name: str) -> tuple[str, str]:
    """A new key, and its entry `name:hash` for `CAPTION_API_KEYS`."""
    key = secrets.token_urlsafe(32)
    return key, f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def main() -> None:
    """Print a new key and its entry."""
    parser = argparse.ArgumentParser(prog="python -m photocaption.keys", description=__doc__)
    parser.add_argument("name", help="who the key is for")
    key, entry = make_key(parser.parse_args().name)
    print(f"key, shown only now: {key}")
    print(f"for CAPTION_API_KEYS: {entry}")


if __name__ == "__main__":
    main()
