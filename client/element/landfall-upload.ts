import { LandfallUploadElement } from './upload-element.ts'

/** The class of `<landfall-upload>`; undefined without a DOM, for instance when a server renders the page. */
export const LandfallUpload = 'customElements' in globalThis ? LandfallUploadElement : undefined

LandfallUploadElement.scriptUrl = import.meta.url

// The script may be on a page twice.
if (LandfallUpload !== undefined && customElements.get('landfall-upload') === undefined) {
  customElements.define('landfall-upload', LandfallUpload)
}
