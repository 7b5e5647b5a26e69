/** The path of an upload, or of the file that it becomes. */
export const FILE_PATH = /^\/files\/[^/]+\/?$/

/** Health checks: they change nothing, and reveal nothing about uploads. */
export const HEALTH_PATH = /^\/(?:healthz|livez|readyz)\/?$/
