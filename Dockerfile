FROM python:3.12-slim

ENV LIVETHREAD_NO_VENV=1 \
    LIVETHREAD_HOST=0.0.0.0 \
    LIVETHREAD_PORT=8000 \
    LIVETHREAD_DATABASE=/data/livethread.db \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*

WORKDIR /livethread

COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r requirements.txt

COPY . .
# Compiled here, since the folder is read-only for the user that runs it.
RUN python -m compileall -q channels server \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin livethread \
    && install -d -o livethread -g livethread -m 0700 /data

USER livethread
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

# Past http_proxy: a company's proxy does not know this container.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8000/health', timeout=2)"]

# tini hears signals from its first moment on; Python, as the first process, only once it has a handler for them.
ENTRYPOINT ["tini", "-e", "143", "--", "python", "run.py"]
