/** The path of an upload, or of the file that it becomes. */
export const FILE_PATH = /^\/files\/[^/]+\/?$/

/** Health checks: they change nothing, and reveal nothing about uploads. */
export const HEALTH_PATH = /^\/(?:healthz|livez|readyz)\/?$/

/** What other pages load by a fixed name: the module of `<landfall-upload>`, and what describes it. */
export const MODULE_PATH = /^\/(?:landfall-upload\.(?:js|d\.ts)|custom-elements\.json)$/
