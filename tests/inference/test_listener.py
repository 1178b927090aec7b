"""A listening socket: its connections send at once; before it closes, what was let in is served, and nothing else."""

import socket
import threading

import pytest

from photocaption.server.listener import drop_new_connections, open_listener


@pytest.fixture
def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def connect(listener: socket.socket, *, seconds: float = 10) -> socket.socket:
    return socket.create_connection(listener.getsockname(), timeout=seconds)


def test_connections_send_what_they_are_given_at_once() -> None:
    with open_listener("127.0.0.1", 0) as listener, connect(listener), listener.accept()[0] as server:
        assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_connections_that_were_made_are_served(listener: socket.socket) -> None:
    clients = [connect(listener) for _ in range(3)]

    assert drop_new_connections(listener)
    for client in clients:
        client.sendall(b"question")
    servers = [listener.accept()[0] for _ in clients]
    listener.close()

    assert [server.recv(8) for server in servers] == [b"question"] * 3
    for server in servers:
        server.sendall(b"answer")
    assert [client.recv(6) for client in clients] == [b"answer"] * 3
    for end in clients + servers:
        end.close()


def test_no_further_connection_is_made(listener: socket.socket) -> None:
    drop_new_connections(listener)

    with pytest.raises(TimeoutError):
        connect(listener, seconds=0.5)
    listener.close()


def test_who_asks_meanwhile_is_refused_once_the_socket_is_closed(listener: socket.socket) -> None:
    drop_new_connections(listener)
    closing = threading.Timer(0.2, listener.close)
    closing.start()

    with pytest.raises(ConnectionRefusedError):
        connect(listener)
    closing.join()
