import { fileURLToPath } from 'node:url'
import { openProgram } from '../../server/program.ts'
import { parseSettings } from '../../server/read-settings.ts'
import { bucketSettings, isInBucket } from './bucket-settings.ts'
import { temporaryFolder } from './folder.ts'

/** Empty pages, so tests of requests need no build. */
const BLANK_PAGES = fileURLToPath(new URL('blank-pages', import.meta.url))
/** The pages that `npm run build` writes. */
export const BUILT_PAGES = fileURLToPath(new URL('../../dist/client', import.meta.url))

export interface TestService {
  /** `http://127.0.0.1:port` */
  readonly url: string
  readonly dataDir: string
  /** Restarts the service on the same directory, with these settings changed; the URL changes. */
  restart(changed?: Readonly<Record<string, string>>): Promise<TestService>
  close(): Promise<void>
}

/**
 * Starts the service in this process, on a free port, with its own directory.
 *
 * @param settings texts by name, as in the environment.
 * @param pages the directory of the pages.
 */
export async function startService(
  settings: Readonly<Record<string, string>> = {},
  pages: string = BLANK_PAGES,
): Promise<TestService> {
  const folder = await temporaryFolder()
  return startIn(folder.path, settings, pages, folder.dispose)
}

/** Starts the service on a directory that exists; `close` keeps it. */
export function startServiceOn(dataDir: string, settings: Readonly<Record<string, string>> = {}): Promise<TestService> {
  return startIn(dataDir, settings, BLANK_PAGES, () => Promise.resolve())
}

async function startIn(
  dataDir: string,
  settings: Readonly<Record<string, string>>,
  pages: string,
  dispose: () => Promise<void>,
): Promise<TestService> {
  const all: Readonly<Record<string, string>> = {
    PORT: '0',
    LOG_LEVEL: 'silent',
    DRAIN: '1',
    ...bucketSettings(dataDir),
    ...settings,
    DATA_DIR: dataDir,
  }
  // It loads the SDK and the store of buckets, which most tests do not need.
  if (isInBucket) await (await import('./passed-self-test.ts')).notePassedSelfTest(all)
  const service = await openProgram(parseSettings(all), { pagesFolder: pages })
  return {
    url: await service.listen(),
    dataDir,
    restart: async (changed = {}) => {
      await service.close()
      return startIn(dataDir, { ...settings, ...changed }, pages, dispose)
    },
    close: async () => {
      await service.close()
      await dispose()
    },
  }
}
