import { type Dialect, parseDialect } from './schema.ts'

/** The dialects of the package, by name. Each is loaded only if it is served. */
const SHIPPED: Readonly<Record<string, () => Promise<{ readonly default: unknown }>>> = {
  blueimp: () => import('./shipped/blueimp.json', { with: { type: 'json' } }),
  dropzone: () => import('./shipped/dropzone.json', { with: { type: 'json' } }),
  filepond: () => import('./shipped/filepond.json', { with: { type: 'json' } }),
  'fine-uploader': () => import('./shipped/fine-uploader.json', { with: { type: 'json' } }),
  flow: () => import('./shipped/flow.json', { with: { type: 'json' } }),
  'huge-uploader': () => import('./shipped/huge-uploader.json', { with: { type: 'json' } }),
  plupload: () => import('./shipped/plupload.json', { with: { type: 'json' } }),
  resumable: () => import('./shipped/resumable.json', { with: { type: 'json' } }),
  'simple-uploader': () => import('./shipped/simple-uploader.json', { with: { type: 'json' } }),
  upchunk: () => import('./shipped/upchunk.json', { with: { type: 'json' } }),
  uploady: () => import('./shipped/uploady.json', { with: { type: 'json' } }),
  'vue-simple-uploader': () => import('./shipped/vue-simple-uploader.json', { with: { type: 'json' } }),
  'webuploader-md5-a': () => import('./shipped/webuploader-md5-a.json', { with: { type: 'json' } }),
  'webuploader-md5-b': () => import('./shipped/webuploader-md5-b.json', { with: { type: 'json' } }),
  'webuploader-md5-c': () => import('./shipped/webuploader-md5-c.json', { with: { type: 'json' } }),
  'webuploader-md5-d': () => import('./shipped/webuploader-md5-d.json', { with: { type: 'json' } }),
}

/** The names of the dialects of the package. */
export const SHIPPED_NAMES: readonly string[] = Object.keys(SHIPPED)

/** A dialect of the package as JSON; `undefined` if there is none of this name. */
export async function shippedJson(name: string): Promise<unknown> {
  return Object.hasOwn(SHIPPED, name) ? (await SHIPPED[name]?.())?.default : undefined
}

/** A dialect of the package. */
export async function shippedDialect(name: string): Promise<Dialect | undefined> {
  const json = await shippedJson(name)
  return json === undefined ? undefined : parseDialect(name, json)
}
