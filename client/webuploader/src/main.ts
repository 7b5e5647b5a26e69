/** For pages built on WebUploader: `<script src="…/landfall-webuploader.js"></script>` after webuploader.js. */
import { Hooks } from './hooks.ts'
import type { Widget } from './library.ts'
import { watchRequests } from './requests.ts'

const script = document.currentScript
const library = window.WebUploader

if (library !== undefined && script instanceof HTMLScriptElement) {
  const base = new URL(script.dataset['server'] ?? '.', script.src).href
  watchRequests(library)
  // It applies to every uploader that the page creates from here on.
  library.Uploader.register(
    { name: 'landfall' },
    {
      init(this: Widget) {
        new Hooks(this.owner, library, base)
      },
    },
  )
}
