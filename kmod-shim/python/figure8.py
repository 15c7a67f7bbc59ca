"""Fig. 8 of the ProgMP paper (Middleware 2017): an application brings its scheduler, chooses it, and talks to it.

    figure8.py SCHEDULER ADDRESS PORT BYTES

Loads the file SCHEDULER as `figure8`, connects, chooses it, sends half of the bytes, signals the end of the flow in
R1 and sends the rest. The exit code is 0 if all calls did what they promise.
"""

import socket
import sys

import progmp


def main():
    path, address, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with open(path, encoding="utf-8") as file:
        progmp.loadScheduler(file.read(), "figure8")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP) as connection:
            connection.connect((address, port))
            progmp.setScheduler(connection, "figure8")
            connection.sendall(bytes(count // 2))
            progmp.setRegister(connection, progmp.R1, 1)
            assert progmp.getRegister(connection, progmp.R1) == 1
            progmp.setUser(connection, 7)
            connection.sendall(bytes(count - count // 2))
            try:
                progmp.setScheduler(connection, "nobody")
            except progmp.Error as error:
                assert str(error).startswith("no-scheduler"), error
            else:
                raise AssertionError("a scheduler that is not there was chosen")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    finally:
        progmp.unloadScheduler("figure8")
    print("figure 8 ran")


main()
