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
# As in `npm start`: malloc keeps the memory of a request body for the next one, instead of returning it to the OS.
ENV MALLOC_TRIM_THRESHOLD_=33554432 MALLOC_TOP_PAD_=1048576
WORKDIR /app
# Open to every user, like /tmp, so `--user` also works with a new volume.
RUN install -d -o 1000 -g 1000 -m 1777 /data
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
USER 1000:1000
VOLUME /data
EXPOSE 1080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["node", "dist/server/healthcheck.js"]
# As in `npm start`: a small young generation keeps garbage collection cheap.
CMD ["node", "--max-semi-space-size=8", "--min-semi-space-size=4", "--initial-old-space-size=64", "dist/server/main.js"]
