import type { Embedding } from './embedding.ts'
import type { Audit, Audited } from './logs/audit.ts'
import { logLifecycle } from './logs/lifecycle.ts'
import type { Measured, Metrics } from './metrics/open-metrics.ts'
import type { Settings } from './settings.ts'

/** What watches a service for its operators. */
export interface Observation {
  readonly audit: Audit | undefined
  readonly metrics: Metrics | undefined
}

/**
 * Begins the logs and the metrics that the settings ask for. The code of the others is not loaded.
 *
 * @throws Error with a sentence for the operator if the audit log cannot be opened, or the given registry has the names.
 */
export async function observe(settings: Settings, embedding: Embedding, observed: Measured): Promise<Observation> {
  const { log } = embedding
  const { events, feed, callers } = observed
  logLifecycle(events, log, callers)
  if (settings.ACCESS_LOG === 'on') (await import('./logs/access-log.ts')).logAccess(feed, log)
  const audit = settings.AUDIT_LOG === '' ? undefined : await openAudit(settings, { events, feed, callers, log })
  const isMeasured = settings.ADMIN_PORT !== undefined || embedding.metrics !== undefined
  const metrics = isMeasured
    ? (await import('./metrics/open-metrics.ts')).openMetrics(observed, embedding.metrics)
    : undefined
  return { audit, metrics }
}

async function openAudit({ AUDIT_LOG }: Settings, audited: Audited): Promise<Audit> {
  const { openAudit } = await import('./logs/audit.ts')
  return openAudit(AUDIT_LOG, audited)
}
