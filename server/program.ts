import { fileURLToPath } from 'node:url'
import type { Embedding } from './embedding.ts'
import { openLandfall, type Program } from './library/open-landfall.ts'
import { logOf } from './log.ts'
import type { Settings } from './settings.ts'
import { changedSettings } from './shown-settings.ts'
import { versionOf } from './version.ts'

/** The built pages. */
export const PAGES = fileURLToPath(new URL('../client', import.meta.url))

/** The program: a service with everything. @throws Error with a sentence for the operator. */
export async function openProgram(settings: Settings, changed: Partial<Embedding> = {}): Promise<Program> {
  const log = changed.log ?? (await logOf(settings))
  if (log.isLevelEnabled('info')) {
    const { version, revision } = versionOf()
    log.info({ version, revision, runtime: process.version, settings: changedSettings(settings) }, 'Landfall starts.')
  }
  return openLandfall(settings, { log, webUploader: true, pagesFolder: PAGES, ...changed })
}
