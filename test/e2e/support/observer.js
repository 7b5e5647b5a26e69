// Runs in a page before its own scripts: notes what the page sends and what it is answered.
;(() => {
  // `breakAt`: each request with this chunk is aborted inside its body.
  const observed = { requests: [], events: [], details: {}, breakAt: null }
  window.observed = observed
  const { open, send } = XMLHttpRequest.prototype
  const opened = new WeakMap()

  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    opened.set(this, { method, url: new URL(url, location.href) })
    return open.call(this, method, url, ...rest)
  }

  XMLHttpRequest.prototype.send = function (body) {
    const { method, url } = opened.get(this)
    const entries = body instanceof FormData ? [...body] : [...url.searchParams]
    const fields = Object.fromEntries(entries.filter(([, value]) => typeof value === 'string'))
    const bytes = entries.reduce((sum, [, value]) => sum + (value instanceof Blob ? value.size : 0), 0)
    const request = { method, path: url.pathname, fields, bytes, status: 0, ended: false, text: '' }
    observed.requests.push(request)
    this.addEventListener('loadend', () =>
      Object.assign(request, { status: this.status, ended: true, text: this.responseText }),
    )
    if (observed.breakAt !== null && Number(fields.chunk) === observed.breakAt) {
      this.upload.addEventListener('progress', () => this.abort(), { once: true })
    }
    return send.call(this, body)
  }

  observed.watch = (uploader) => {
    uploader.on('all', (type, subject, detail) => {
      const file = subject?.file ?? subject
      const chunk = subject?.file ? subject.chunk : null
      if (type === 'uploadProgress') observed.progress = detail
      else observed.events.push({ type, file: file?.name ?? null, chunk })
      if (type.startsWith('landfall')) observed.details[type] = detail
    })
  }
})()
