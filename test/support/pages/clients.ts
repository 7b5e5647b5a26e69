import Uppy from '@uppy/core'
import UppyTus from '@uppy/tus'
import { Upload, type UploadOptions } from 'tus-js-client'

/** The functions that tests call in the page: each resolves with the URL of the upload when that has ended. */
const clients = {
  tus(file: File, options: Partial<UploadOptions>): Promise<string | null> {
    return new Promise((resolve, reject) => {
      const upload: Upload = new Upload(file, {
        metadata: { filename: file.name },
        onSuccess: () => resolve(upload.url),
        onError: reject,
        ...options,
      })
      upload.start()
    })
  },
  async uppy(file: File, options: { endpoint: string; retryDelays: number[]; parallelUploads?: number }) {
    const uppy = new Uppy().use(UppyTus, options)
    uppy.addFile({ name: file.name, data: file })
    const result = await uppy.upload()
    const [failed] = result?.failed ?? []
    if (failed !== undefined) throw new Error(failed.error ?? 'The upload failed.')
    return result?.successful?.[0]?.uploadURL ?? null
  },
}

// For tests that act on an upload before it has ended.
Object.assign(globalThis, { clients, tus: { Upload } })
