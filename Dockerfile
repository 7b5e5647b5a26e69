FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && find dist \( -name '*.map' -o -name '*.d.ts' \) -delete

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=1080 DATA_DIR=/data
# The settings of `npm start`: memory that a body has passed through is used for the next one, not given back and asked for again.
ENV MALLOC_TRIM_THRESHOLD_=33554432 MALLOC_TOP_PAD_=1048576
WORKDIR /app
# Open to every user, as /tmp is, so that `--user` works with a new volume, too.
RUN install -d -o 1000 -g 1000 -m 1777 /data
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
USER 1000:1000
VOLUME /data
EXPOSE 1080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["node", "dist/server/healthcheck.js"]
# And its flags: what a request leaves behind is collected young, and cheaply.
CMD ["node", "--max-semi-space-size=8", "--min-semi-space-size=4", "--initial-old-space-size=64", "dist/server/main.js"]
