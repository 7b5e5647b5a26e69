import { fileURLToPath } from 'node:url'
import { openLandfall, type Program } from './library/open-landfall.ts'
import { logOf } from './log.ts'
import type { Embedding } from './service.ts'
import type { Settings } from './settings.ts'

/** The built pages. */
export const PAGES = fileURLToPath(new URL('../client', import.meta.url))

/** The program: a service with everything. @throws Error with a sentence for the operator. */
export function openProgram(settings: Settings, changed: Partial<Embedding> = {}): Promise<Program> {
  return openLandfall(settings, { log: logOf(settings), webUploader: true, pagesFolder: PAGES, ...changed })
}
