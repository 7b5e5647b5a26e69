import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Authorize } from './library/authorize.ts'
import { type DecisionOptions, decisionsOf } from './library/decisions.ts'
import { type Landfall, openLandfall } from './library/open-landfall.ts'
import { type SettingOptions, settingsOf } from './library/options.ts'
import { logOf } from './log.ts'
import { PAGES } from './program.ts'

export type { Answer } from './core/answer.ts'
export type { RequestInfo } from './core/current-request.ts'
export { type ErrorCode, UploadError } from './core/errors.ts'
export type { EventType } from './core/events.ts'
export type { Action } from './core/principal.ts'
export type { Authorize, AuthorizeRequest, Grant } from './library/authorize.ts'
export type { CreationAnswer } from './library/decisions.ts'
export type { LandfallEvent } from './library/events.ts'
export type { ConnectionFacts } from './library/fetched.ts'
export type { KoaContext, Next } from './library/mounted.ts'
export type { Landfall } from './library/open-landfall.ts'
export type { SettingOptions } from './library/options.ts'
export { Refusal } from './library/refusal.ts'
export type { ByteRange } from './library/stored-uploads.ts'
export type { StoredView, UploadView } from './library/view.ts'

/** The options of `createLandfall`: every setting, and what only an application in the same process can say. */
export interface LandfallOptions extends SettingOptions, DecisionOptions {
  /** Directory for uploads and finished files. One process at a time uses it. */
  readonly dataDir: string
  /**
   * The path of the service in URLs, such as `/uploads`, where the server of the application passes it on. Routers that
   * strip the path below which they mount a handler (Express, Connect) need none.
   */
  readonly basePath?: string | undefined
  /** Whether WebUploader pages can upload, to `/upload/accept`, `/upload/complete`, and `/check`. */
  readonly webUploader?: boolean | undefined
  /** Whether there are the pages of the service at `/` and `/legacy`, `/session`, and health checks. */
  readonly pages?: boolean | undefined
  /** Decides on whose behalf a request runs. Without it, the setting `auth` decides. */
  readonly authorize?: Authorize | undefined
  /** Receives the log. By default, it goes to standard error. */
  readonly logger?: Logger | undefined
  /** The registry of prom-client that receives the metrics of the service. */
  readonly metrics?: Registry | undefined
}

/**
 * Opens an upload service in this process. It handles no signals, reads no settings from the environment, and never ends
 * the process.
 *
 * @throws Error with a sentence when an option is wrong, or the directory cannot be used or belongs to a running process.
 */
export async function createLandfall(options: LandfallOptions): Promise<Landfall> {
  const { webUploader = false, pages = false, authorize, logger, metrics, ...others } = options
  const { beforeCreate, beforeFinish, beforeDelete, ...settingOptions } = others
  checkFunctions({ authorize, beforeCreate, beforeFinish, beforeDelete })
  if (typeof others.dataDir !== 'string') throw new Error('dataDir must be the path of a directory.')
  // A page of a foreign host, once that resolves to this one, has no credentials of the application.
  const hosts = authorize === undefined ? {} : { allowedHosts: '*' }
  const settings = settingsOf({ ...hosts, ...settingOptions })
  const log = logger ?? (await logOf(settings))
  const decisions = decisionsOf({ beforeCreate, beforeFinish, beforeDelete }, (id, error) => {
    log.error(
      { upload: id, err: error },
      'beforeFinish failed; the file stays pending, and the function is called again.',
    )
  })
  const pagesFolder = pages ? PAGES : undefined
  return openLandfall(settings, { log, webUploader, pagesFolder, decisions, authorize, metrics })
}

/** Applications without types may pass anything. @throws Error with a sentence. */
function checkFunctions(functions: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(functions)) {
    if (value !== undefined && typeof value !== 'function') throw new Error(`${name} must be a function.`)
  }
}
