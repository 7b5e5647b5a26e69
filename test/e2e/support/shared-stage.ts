import path from 'node:path'
import { afterAll, beforeAll } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { launchChrome } from '../../support/chrome.ts'
import { temporaryFolder } from '../../support/folder.ts'
import { type Landfall, startLandfall } from '../../support/restartable-program.ts'
import type { SampleFile } from '../../support/sample-files.ts'
import { makeFile } from './blog-page.ts'

/** A browser and the program, which the cases of one test file share. They are usable within a case only. */
export interface SharedStage {
  readonly browser: Browser
  readonly landfall: Landfall
  /** Creates a file of eight chunks with a unique name. @returns its directory, too. */
  newFile(): Promise<{ readonly place: string; readonly file: SampleFile }>
}

/** Starts both before the first case of the file, and stops them after the last one. */
export function shareStage(): SharedStage {
  let stage: { browser: Browser; landfall: Landfall; folder: Awaited<ReturnType<typeof temporaryFolder>> } | undefined
  let files = 0
  beforeAll(async () => {
    const [browser, landfall, folder] = await Promise.all([launchChrome(), startLandfall(), temporaryFolder()])
    stage = { browser, landfall, folder }
  })
  afterAll(async () => {
    await Promise.all([stage?.browser.close(), stage?.landfall.dispose()])
    await stage?.folder.dispose()
  })
  const started = (): NonNullable<typeof stage> => {
    if (stage === undefined) throw new Error('The browser and the program have not been started.')
    return stage
  }
  return {
    get browser() {
      return started().browser
    },
    get landfall() {
      return started().landfall
    },
    newFile: async () => {
      files += 1
      const place = path.join(started().folder.path, String(files))
      return { place, file: await makeFile(place, `file-${files}.bin`) }
    },
  }
}
