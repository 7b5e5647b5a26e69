// The page: an input whose file Uppy uploads, the usual way to use it.
import Uppy from '@uppy/core'
import Tus from '@uppy/tus'

/** Waits for a chosen file and uploads it. @returns the URL of the upload. */
globalThis.uploadChosen = (options) =>
  new Promise((resolve, reject) => {
    const input = document.querySelector('input')
    input.addEventListener('change', () => {
      const [file] = input.files
      const uppy = new Uppy({ autoProceed: false })
      uppy.use(Tus, options)
      uppy.addFile({ name: file.name, type: file.type, data: file, source: 'input' })
      uppy.upload().then(({ successful, failed }) => {
        if (successful.length === 1) resolve(successful[0].uploadURL)
        else reject(new Error(failed[0]?.error ?? 'The upload failed.'))
      }, reject)
    })
  })
