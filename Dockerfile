# A release names this image by its digest: scripts/release.mjs.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package needs its install script for the build.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && find dist \( -name '*.map' -o -name '*.d.ts' \) -delete

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# The optional package is a Redis client, which no code of the service loads.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
# `container` says that HOST is an address inside of a container; podman sets it, docker does not.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=1080 DATA_DIR=/data container=oci
# As in `npm start`: malloc keeps the memory of a request body for the next one, instead of returning it to the OS.
ENV MALLOC_TRIM_THRESHOLD_=33554432 MALLOC_TOP_PAD_=1048576
WORKDIR /app
# A new volume gets this owner and mode.
RUN install -d -o 1000 -g 1000 -m 0750 /data
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
USER 1000:1000
VOLUME /data
EXPOSE 1080
# At the end: another revision of the same source builds only these layers again.
ARG VERSION=
ARG REVISION=
ENV LANDFALL_REVISION=${REVISION}
LABEL org.opencontainers.image.title="Landfall" \
      org.opencontainers.image.description="A resumable upload service for tus clients, the IETF draft, and legacy WebUploader pages" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["node", "dist/program/healthcheck.js"]
# As in `npm start`: a small young generation keeps garbage collection cheap.
CMD ["node", "--max-semi-space-size=8", "--min-semi-space-size=4", "--initial-old-space-size=64", "dist/program/main.js"]
