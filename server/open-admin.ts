import { adminApp } from './admin/admin-app.ts'
import { type AdminListener, adminListener } from './admin/admin-listener.ts'
import { loadAdminPage } from './admin/admin-page.ts'
import type { AdminApi, Administered } from './admin/open-admin-api.ts'
import type { Audit } from './logs/audit.ts'
import type { Metrics } from './metrics/open-metrics.ts'
import type { Settings } from './settings.ts'

/** What the listener of administrators shows of a service. */
export interface Shown extends Omit<Administered, 'note'> {
  readonly hostNames: ReadonlySet<string>
  readonly metrics: Metrics | undefined
  /** Receives the acts of administrators, if they are recorded. */
  readonly audit: Audit | undefined
  /** The directory of the built pages; without it, there is no page. */
  readonly pagesFolder: string | undefined
}

/** The listener of administrators, which does not listen yet: metrics, and with credentials the API and its page. */
export async function openAdmin(settings: Settings, shown: Shown): Promise<AdminListener> {
  const { log, hostNames, ready, metrics, audit, pagesFolder } = shown
  const hasApi = settings.ADMIN_TOKEN !== '' || settings.ADMIN_CLAIM !== undefined
  const api = hasApi ? await openApi(settings, { ...shown, note: (act) => audit?.adminAct(act) }) : undefined
  const page = hasApi && pagesFolder !== undefined ? await loadAdminPage(pagesFolder) : undefined
  const listener = adminListener(settings, adminApp({ log, hostNames, ready, metrics, page, api: api?.routes }), log)
  return {
    listen: () => listener.listen(),
    close: async () => {
      await api?.close()
      await listener.close()
    },
  }
}

/** Loaded only where the admin API is on. */
async function openApi(settings: Settings, administered: Administered): Promise<AdminApi> {
  const { openAdminApi } = await import('./admin/open-admin-api.ts')
  return openAdminApi(settings, administered)
}
