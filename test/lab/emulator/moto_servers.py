# SPDX-License-Identifier: MPL-2.0
"""Serves moto, each account on a free port of the loopback address, one request at a time.

moto compares and stores an S3 object without a lock, so that only a single thread makes its
conditional writes atomic. To import it and to make up its first regions takes seconds, so that is
done once, and each server is a fork. It reads commands: "start LOG" prints the port and the process
id of a new server, and "stop ID" prints "stopped". All end when the standard input does, or when
this process is killed: they never outlive the program that started it. moto_images.py and
moto_permissions.py come before it, as one program.
"""
import os
import signal
import socket
import sys
import threading

from moto.ec2.models.amis import Ami
from moto.moto_api._internal import mock_random
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import Client


class Handler(WSGIRequestHandler):
    # A connection on which no request arrives would hold up all others.
    timeout = 5


def make_ami(self, *args, make=Ami.__init__, **kwargs):
    # moto's own images are not backed by EBS, so that nothing could be built on them.
    kwargs.setdefault("root_device_type", "ebs")
    make(self, *args, **kwargs)


def warm(app):
    """Makes moto load what most tests use."""
    client = Client(app)
    for service, region, action, version in (
        ("ec2", "eu-west-1", "DescribeImages", "2016-11-15"),
        ("ec2", "eu-central-1", "DescribeImages", "2016-11-15"),
        ("sts", "us-east-1", "GetCallerIdentity", "2011-06-15"),
        ("iam", "us-east-1", "ListUsers", "2010-05-08"),
        ("s3", "eu-west-1", "ListBuckets", ""),
    ):
        client.post(
            "/",
            data={"Action": action, "Version": version, "Owner.1": "self"},
            headers={
                "Authorization": "AWS4-HMAC-SHA256 "
                f"Credential=test/20260101/{region}/{service}/aws4_request"
            },
        )


def end_with(parent):
    os.read(parent, 1)
    os._exit(0)


def serve(app, listener, parent, log):
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # Otherwise two accounts would give the same ids to their images.
    mock_random.seed()
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    address, port = listener.getsockname()
    fd = listener.fileno()
    make_server(address, port, app, threaded=False, request_handler=Handler, fd=fd).serve_forever()


def start(app, lifeline, path):
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pid = os.fork()
        if pid == 0:
            os.close(lifeline[1])
            try:
                serve(app, listener, lifeline[0], log)
            finally:
                os._exit(1)
        os.close(log)
        return f"{listener.getsockname()[1]} {pid}"


def stop(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "stopped"


def main():
    # Ctrl-C goes to all that run in a terminal. Who started this one still has to stop it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Ami.__init__ = make_ami
    extend_images()
    extend_permissions()
    app = DomainDispatcherApplication(create_backend_app)
    warm(app)
    lifeline = os.pipe()
    for line in sys.stdin:
        command, argument = line.rstrip("\n").split(" ", 1)
        reply = start(app, lifeline, argument) if command == "start" else stop(int(argument))
        print(reply, flush=True)


main()
