/* A running digest over the chunks of a file. */
;((WebUploader, Landfall) => {
  /** Extends a digest (`''` at first) by the next chunk. Rejects if the browser cannot read the bytes. */
  Landfall.extendDigest = async (uploader, digest, bytes) => {
    const blob = new Blob([digest, bytes])
    // Browsers offer SHA-256 only over HTTPS and on localhost. WebUploader's MD5 works everywhere but is much slower.
    if (window.crypto?.subtle === undefined) return md5(uploader, blob)
    const hash = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer())
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  function md5(uploader, blob) {
    return new Promise((resolve, reject) => {
      uploader.md5File(new WebUploader.Lib.Blob(null, blob)).then(resolve, reject)
    })
  }
})(window.WebUploader, window.Landfall)
