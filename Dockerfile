# Nocturna on the clock. docs/operations.md says how to build and run it.
FROM python:3.11-slim

WORKDIR /opt/nocturna
COPY . .
RUN python -m pip install --no-cache-dir --constraint constraints.txt --editable . \
    && useradd --create-home --uid 1000 nocturna \
    && install -d -o nocturna -g nocturna /srv/nocturna

USER nocturna
WORKDIR /srv/nocturna
ENV PREFECT_HOME=/srv/nocturna/engine \
    NOCTURNA_CACHE=/srv/nocturna/cache
VOLUME /srv/nocturna
ENTRYPOINT ["nocturna"]
CMD ["serve", "jobs/prensa.yaml", "--cron", "0 2 * * *", "--timezone", "Europe/Madrid", "--catch-up"]
