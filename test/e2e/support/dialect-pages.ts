import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { bundled, packageFile } from './upload-libraries.ts'

/** A file that a page uploads. */
export interface SentFile {
  readonly name: string
  readonly buffer: Buffer
}

/** How the upload of a file has ended. */
export interface Ended {
  readonly name: string
  readonly ok: boolean
  readonly body: string
}

/** An upload library, and what it can do. */
export interface Library {
  readonly name: string
  readonly dialect: string
  readonly scripts: readonly string[]
  /** Bytes. */
  readonly chunkSize: number
  readonly sendsEmpty: boolean
  /** Whether it sends a refused chunk again. */
  readonly retries: boolean
  /** The status that means "try again". */
  readonly busy: number
  /** Whether it can make all chunks equally long, or else the last one longer. */
  readonly forces: boolean
  /** Whether it continues a file from a memory of its own. */
  readonly remembers: boolean
  /** Whether it resumes after a restart of the service. */
  readonly survives: boolean
  /** Whether it goes on after a reload of its page. */
  readonly resumes: boolean
}

const KIB = 1024

function library(name: string, scripts: readonly string[], more: Partial<Library> = {}): Library {
  return {
    name,
    dialect: name,
    scripts,
    chunkSize: 64 * KIB,
    sendsEmpty: false,
    retries: true,
    busy: 503,
    forces: false,
    remembers: false,
    survives: false,
    resumes: false,
    ...more,
  }
}

const WEBUPLOADER = ['jquery/dist/jquery.min.js', 'webuploader/dist/webuploader.min.js']
const BLUEIMP = ['vendor/jquery.ui.widget', 'jquery.iframe-transport', 'jquery.fileupload']
const resuming = { survives: true, resumes: true } as const
const FINE = 'fine-uploader/fine-uploader/fine-uploader.core.js'
const VUE = ['vue/dist/vue.global.prod.js', 'vue-simple-uploader/dist/vue-simple-uploader.umd.js']

export const LIBRARIES: readonly Library[] = [
  library('resumable', ['resumablejs/resumable.js'], { ...resuming, forces: true }),
  library('flow', ['@flowjs/flow.js/dist/flow.js'], { ...resuming, forces: true, sendsEmpty: true }),
  library('simple-uploader', ['simple-uploader.js/dist/uploader.js'], { ...resuming, forces: true, sendsEmpty: true }),
  library('vue-simple-uploader', VUE, { ...resuming, forces: true, sendsEmpty: true }),
  library('dropzone', ['dropzone/dist/dropzone-min.js'], { sendsEmpty: true }),
  library('dropzone5', ['dropzone5/dist/min/dropzone.min.js'], { dialect: 'dropzone', sendsEmpty: true }),
  library('fine-uploader', [FINE], { ...resuming, remembers: true }),
  library('fine-uploader-plain', [FINE], { dialect: 'fine-uploader', survives: true, remembers: true }),
  library('plupload', ['plupload/js/moxie.js', 'plupload/js/plupload.dev.js'], { survives: true }),
  library('filepond', ['filepond/dist/filepond.js'], { sendsEmpty: true, survives: true }),
  library('blueimp', ['jquery/dist/jquery.min.js', ...BLUEIMP.map((name) => `blueimp-file-upload/js/${name}.js`)], {
    sendsEmpty: true,
    retries: false,
  }),
  library('uploady', [], { sendsEmpty: true }),
  library('upchunk', ['@mux/upchunk/dist/upchunk.js'], { chunkSize: 256 * KIB }),
  library('huge-uploader', ['huge-uploader/lib/index.js'], { chunkSize: 64_000, survives: true }),
  ...(['a', 'b', 'c', 'd'] as const).map((letter) =>
    library(`webuploader-md5-${letter}`, WEBUPLOADER, {
      busy: 409,
      resumes: true,
    }),
  ),
]

const PAGES = ['dialects.js', 'unknown-pages.js'].map((name) =>
  fileURLToPath(new URL(`../pages/${name}`, import.meta.url)),
)

/** Opens a page of the service's origin with the library. */
export async function openPage(page: Page, origin: string, { name, scripts }: Library): Promise<void> {
  const sources = name === 'uploady' ? [await bundled('uploady.ts')] : scripts.map(packageFile)
  // Modules of Node instead of scripts need this.
  const before = name === 'huge-uploader' ? ['var module = {}'] : []
  const all = [...before, ...sources, ...PAGES.map((page) => readFileSync(page, 'utf8'))]
  await page.route(`${origin}/page/*`, (route) => {
    const number = /(\d+)\.js$/.exec(route.request().url())?.[1]
    if (number !== undefined) return route.fulfill({ contentType: 'text/javascript', body: all[Number(number)] ?? '' })
    const tags = all.map((_, index) => `<script src="${index}.js"></script>`).join('')
    const body = `<!doctype html><meta charset="utf-8"><input type="file" id="input" multiple>
      <div id="element"><input type="file" name="filepond"></div><button id="button">…</button>${tags}`
    return route.fulfill({ contentType: 'text/html', body })
  })
  await page.goto(`${origin}/page/index`)
}
