"""moto, answering one request at a time: S3 decides on a condition and writes in one step,
and moto alone looks and writes in two, between which another request can come."""

import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

moto = DomainDispatcherApplication(create_backend_app)
turn = threading.Lock()


def one_at_a_time(environ, start_response):
    with turn:
        return moto(environ, start_response)


run_simple("127.0.0.1", 0, one_at_a_time, threaded=True)
