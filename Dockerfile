# Two stages: the first builds the environment and compiles the kernels, the second only runs them.
FROM python:3.11-slim AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/timetable
COPY pyproject.toml README.md LICENSE ./
COPY solver solver
COPY app app
RUN /opt/timetable/bin/pip install '.[all]'
# A Numba cache is pickle: whoever can write it can run code. It is filled here and owned by root, hence read-only later.
ENV NUMBA_CACHE_DIR=/opt/timetable/numba-cache NUMBA_CPU_NAME=generic
RUN /opt/timetable/bin/python -c "from solver.search import warm_up; warm_up()"

FROM python:3.11-slim
# Backups of a store on PostgreSQL are made by its own programs; they must not be older than the server.
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
# Keys that several services share lie in a volume at the second folder; a new volume takes its owner from it.
RUN useradd --system --create-home --home-dir /var/lib/timetable timetable \
    && install --directory --owner timetable --mode 700 /var/lib/timetable-keys
COPY --from=build /opt/timetable /opt/timetable
ENV PATH=/opt/timetable/bin:$PATH \
    NUMBA_CACHE_DIR=/opt/timetable/numba-cache \
    NUMBA_CPU_NAME=generic \
    OPENBLAS_NUM_THREADS=1 \
    PYTHONUNBUFFERED=1 \
    TIMETABLE_DATA_DIR=/var/lib/timetable
USER timetable
VOLUME /var/lib/timetable
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=3s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8001/health/live', timeout=2)"]
# Inside the container every address is the container's own, and on another address than loopback the service starts only
# with an API key. Make one first, in the same volume, and publish the port on loopback:
#   docker run --rm -v timetable:/var/lib/timetable timetable timetable keys add platform --scope submit --scope read --scope cancel
#   docker run -v timetable:/var/lib/timetable -p 127.0.0.1:8001:8001 timetable
CMD ["timetable", "serve", "--host", "0.0.0.0"]
