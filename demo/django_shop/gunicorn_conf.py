"""How gunicorn runs the monolith: one worker with threads, so that SQLite and sessions stay simple.

A file rather than flags: gunicorn passes over the settings in it that its version does not know.
"""

wsgi_app = "demo.django_shop.wsgi:application"
worker_class = "gthread"
workers = 1
threads = 8
keepalive = 75  # longer than a proxy in front keeps its side open: no request meets a closing connection
graceful_timeout = 2
control_socket_disable = True
