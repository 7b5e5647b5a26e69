import 'tus-js-client'

/** What tus-js-client has, and its types do not know. */
declare module 'tus-js-client' {
  interface UploadOptions {
    protocol?: 'tus-v1' | 'ietf-draft-05'
  }
}
