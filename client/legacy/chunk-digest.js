/* One digest for the first chunks of a file: each step adds a chunk to the digest of those before it. */
;((WebUploader, Landfall) => {
  /** The digest of some chunks (`''` for none) and the one after them. Rejects if the browser cannot read the bytes. */
  Landfall.addToDigest = async (uploader, digest, bytes) => {
    const blob = new Blob([digest, bytes])
    // Browsers offer SHA-256 to pages from HTTPS and localhost only; WebUploader's MD5 is much slower.
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
