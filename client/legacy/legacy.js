/* The classical page: WebUploader in blocks, /check before each file, /upload/complete after it. */
;(($, WebUploader, Landfall) => {
  /** How often the page asks for a file that the server scans. */
  const ASK_AGAIN_MS = 2_000
  /** Statuses of a refusal with a sentence. */
  const EXPLAINED = [401, 403, 413, 415]
  const rows = new Map()
  const serverSentences = new Map()
  const refusedNames = []

  const uploader = WebUploader.create({
    server: 'upload/accept',
    pick: '#picker',
    dnd: '#drop-zone',
    disableGlobalDnd: true,
    auto: true,
    chunked: true,
    chunkSize: Landfall.resume.CHUNK_SIZE,
    chunkRetry: 3,
    threads: 1,
    duplicate: true,
  })
  Landfall.resume.watch(uploader)

  $('#picker').on('click', () => {
    refusedNames.length = 0
    showRefused()
  })

  uploader.on('fileQueued', (file) => {
    $('#empty').prop('hidden', true)
    rows.set(
      file.id,
      Landfall.addRow(file, () => cancel(file)),
    )
    showUnfinished()
    showButtons()
  })

  uploader.on('uploadStart', (file) => show(file, { state: 'uploading', text: { key: 'uploading' }, detail: null }))

  uploader.on('verifyProgress', (file) => {
    if (rows.get(file.id)?.state === 'uploading') show(file, { text: { key: 'verifying' } })
  })

  uploader.on('uploadProgress', (file, share) => {
    // A request that was running at the pause may still report progress.
    if (rows.get(file.id)?.state === 'paused') return
    show(file, { state: 'uploading', percent: Math.floor(share * 100), text: { key: 'uploading' } })
  })

  // Only this event has the body of a 5xx response. It does not change the upload.
  uploader.on('uploadAccept', (block, answer) => {
    if (answer.error?.message) serverSentences.set(block.file.id, answer.error.message)
    else Landfall.signIn.accepted(block.file)
  })

  uploader.on('uploadSuccess', (file) => {
    show(file, { percent: 100, text: { key: 'checking' } })
    complete(file)
  })

  uploader.on('uploadError', (file, reason) => {
    if (Landfall.resume.willRestart(file)) return
    const status = Landfall.resume.statusOf(file)
    if (status === 401 && awaitSignIn(file, () => uploader.retry(file))) return
    const sentence = reason === 'server' ? serverSentences.get(file.id) : undefined
    const text = sentence ? { key: 'said', values: { sentence } } : { key: errorKey(reason, status) }
    show(file, { state: 'failed', text })
  })

  uploader.on('fileRejected', reject)

  uploader.on('error', (reason, file) => {
    if (reason !== 'Q_TYPE_DENIED') return
    refusedNames.push(file.name)
    showRefused()
  })

  $('#pause').on('click', () => {
    uploader.stop(true)
    showEvery(['uploading', 'waiting'], { state: 'paused', text: { key: 'paused' } })
  })

  $('#continue').on('click', () => {
    showEvery(['paused'], { state: 'waiting', text: { key: 'waiting' } })
    uploader.upload()
  })

  $('#retry').on('click', () => {
    // Files that are complete for WebUploader, but not for the server, are sent again as a whole.
    for (const file of uploader.getFiles('complete')) {
      if (rows.get(file.id)?.state === 'failed') uploader.retry(file, true)
    }
    showEvery(['failed'], { state: 'waiting', percent: 0, text: { key: 'waiting' }, detail: null })
    uploader.retry()
  })

  /** Asks the server to confirm the file, and shows its URL. */
  function complete(file) {
    if (!rows.has(file.id)) return
    Landfall.resume
      .complete(file)
      .done((answer) => {
        Landfall.resume.finish(file)
        if (Landfall.session.limits().quota !== undefined) Landfall.session.refresh()
        show(file, { state: 'finished', text: { key: 'finished' } })
        if (answer.url) Landfall.session.showLink(answer.url, (url) => show(file, { url }))
      })
      .fail((request) => {
        const { error, missing } = request.responseJSON || {}
        if (request.status === 401 && awaitSignIn(file, () => complete(file))) return
        if (error?.code === 'scanning') {
          show(file, { text: { key: 'scanning' } })
          setTimeout(() => complete(file), ASK_AGAIN_MS)
          return
        }
        if (error?.code === 'rejected') return reject(file)
        const text = error ? { key: 'said', values: { sentence: error.message } } : { key: 'error-complete' }
        show(file, { state: 'failed', text, detail: missingText(missing) })
      })
  }

  /** Shows that a scan has rejected the file, and excludes it from retries. */
  function reject(file) {
    Landfall.resume.finish(file)
    uploader.cancelFile(file)
    show(file, { state: 'rejected', text: { key: 'rejected' } })
  }

  /** Lets a refused file wait for a sign-in. Returns whether it does. */
  function awaitSignIn(file, resume) {
    show(file, { state: 'signed-out', text: { key: 'await-sign-in' } })
    return Landfall.signIn.await(file, resume)
  }

  function missingText(missing) {
    if (!Array.isArray(missing) || missing.length === 0) return null
    const more = missing.length > 10 ? ', …' : ''
    return { key: 'missing', values: { chunks: `${missing.slice(0, 10).join(', ')}${more}` } }
  }

  function errorKey(reason, status) {
    if (EXPLAINED.includes(status)) return `status-${status}`
    return ['http', 'server', 'abort', 'timeout'].includes(reason) ? `error-${reason}` : 'failed'
  }

  /** Ends a file, removes its row, and what the server has of it. */
  function cancel(file) {
    const row = rows.get(file.id)
    rows.delete(file.id)
    uploader.removeFile(file, true)
    Landfall.resume.cancel(file)
    row.remove()
    $('#empty').prop('hidden', rows.size > 0)
    showUnfinished()
    showButtons()
  }

  /** Names the unfinished files of earlier page loads that are not in the list. */
  function showUnfinished() {
    const listed = [...rows.values()].map((row) => row.name)
    const names = Landfall.unfinishedUploads.names().filter((name) => !listed.includes(name))
    $('#unfinished')
      .prop('hidden', names.length === 0)
      .text(Landfall.t('unfinished', { names: names.join(Landfall.t('comma')) }))
  }

  function show(file, changes) {
    // A cancelled file has no row any more.
    rows.get(file.id)?.set(changes)
    showButtons()
  }

  function showEvery(states, changes) {
    for (const row of rows.values()) if (states.includes(row.state)) row.set(changes)
    showButtons()
  }

  /** Names the files of the last selection that were refused. */
  function showRefused() {
    $('#notice')
      .prop('hidden', refusedNames.length === 0)
      .text(Landfall.t('error-taken', { name: refusedNames.join(', ') }))
  }

  function showButtons() {
    const states = [...rows.values()].map((row) => row.state)
    $('#pause').prop('disabled', !states.includes('uploading') && !states.includes('waiting'))
    $('#continue').prop('disabled', !states.includes('paused'))
    $('#retry').prop('disabled', !states.includes('failed'))
  }

  // WebUploader has just created its file input.
  uploader.on('ready', Landfall.showLanguage)
  Landfall.onLanguage(showRefused)
  Landfall.onLanguage(showUnfinished)
  Landfall.session.onChange(showUnfinished)
  showButtons()
})(window.jQuery, window.WebUploader, window.Landfall)
