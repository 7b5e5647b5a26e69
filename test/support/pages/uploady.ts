/** react-uploady without React: its uploader and its sender of chunks. */
import { getChunkedEnhancer } from '@rpldy/chunked-sender'
import createUploader from '@rpldy/uploader'

Object.assign(globalThis, { uploady: { createUploader, getChunkedEnhancer } })
