#!/usr/bin/env python3
"""Runs a Twisted program, nodelay.py PROGRAM [ARGUMENT]..., with TCP_NODELAY on each of its connections.

Jasmin leaves it off, so that what it tells RabbitMQ waits for a delayed acknowledgement, 40 ms for each message. On
loopback that would be all that is measured."""

import runpy
import socket
import sys

from twisted.internet import tcp

connect = tcp.Connection.__init__


def connect_without_delay(self, skt, *arguments, **named):
    skt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connect(self, skt, *arguments, **named)


tcp.Connection.__init__ = connect_without_delay
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
