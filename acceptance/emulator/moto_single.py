# SPDX-License-Identifier: MPL-2.0
"""Serves moto on a free port of the loopback address, one request at a time.

moto compares and stores an S3 object without a lock, so that only a single thread makes its
conditional writes atomic. The port is the first line of the output. The server ends when its
standard input does, so that it never outlives the program that started it.
"""
import os
import sys
import threading

from moto.ec2.models.amis import Ami
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Handler(WSGIRequestHandler):
    # A connection on which no request arrives would hold up all others.
    timeout = 5


def make_ami(self, *args, make=Ami.__init__, **kwargs):
    # moto's own images are not backed by EBS, so that nothing could be built on them.
    kwargs.setdefault("root_device_type", "ebs")
    make(self, *args, **kwargs)


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


Ami.__init__ = make_ami
app = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, app, threaded=False, request_handler=Handler)
print(server.port, flush=True)
threading.Thread(target=end_with_parent, daemon=True).start()
server.serve_forever()
