import os from 'node:os'
import pino, { type Logger, type LoggerOptions } from 'pino'
import type { Settings } from './settings.ts'

/** Where an SDK of OpenTelemetry registers itself (`@opentelemetry/api`, src/internal/global-utils.ts). */
const TELEMETRY = Symbol.for('opentelemetry.js.api.1')

/** The log of a service, on standard error. An SDK of OpenTelemetry must have been registered before. */
export async function logOf({ LOG_LEVEL, LOG_FORMAT, NODE_NAME }: LogSettings): Promise<Logger> {
  const mixin = TELEMETRY in globalThis ? await activeSpan() : undefined
  const options: LoggerOptions = {
    level: LOG_LEVEL,
    serializers: { err: withoutNames },
    ...(NODE_NAME !== '' && { base: { pid: process.pid, hostname: os.hostname(), node: NODE_NAME } }),
    ...(mixin !== undefined && { mixin }),
  }
  if (LOG_FORMAT === 'json') return pino(options, pino.destination({ dest: 2, sync: true }))
  // Loaded only for people.
  const { default: pretty } = await import('pino-pretty')
  return pino(options, pretty({ destination: 2, sync: true }))
}

type LogSettings = Pick<Settings, 'LOG_LEVEL' | 'LOG_FORMAT' | 'NODE_NAME'>

/** Adds the span of the current request, if there is one. */
async function activeSpan(): Promise<() => object> {
  const { trace } = await import('@opentelemetry/api')
  return () => {
    const context = trace.getActiveSpan()?.spanContext()
    return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId }
  }
}

/** The path of a finished file ends with its name, which no log has. */
function withoutNames(error: Error): object {
  const serialized = pino.stdSerializers.err(error)
  const masked = Object.entries(serialized).map(([key, value]) => [
    key,
    typeof value === 'string' ? masks(value) : value,
  ])
  return Object.fromEntries(masked)
}

/** In `…/files/<folder>/<id>/<name>`, everything after `files`. */
function masks(text: string): string {
  return text.replaceAll(/(\/files\/)[^'"\n]+/g, '$1…')
}
