FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && find dist -name '*.map' -delete

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=1080 DATA_DIR=/data
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
# The flags of `npm start`: they spare large uploads half of their CPU time in garbage collection.
CMD ["node", "--max-semi-space-size=4", "--initial-old-space-size=64", "dist/server/main.js"]
