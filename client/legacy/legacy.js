/* The classical page: WebUploader in blocks, /check before each file, /upload/complete after it. */
;(($, WebUploader, Landfall) => {
  const rows = new Map()
  const serverSentences = new Map()
  const refusedNames = []

  const uploader = WebUploader.create({
    server: 'upload/accept',
    pick: '#picker',
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
    rows.set(file.id, Landfall.addRow(file))
    showButtons()
  })

  uploader.on('uploadStart', (file) => show(file, { state: 'uploading', text: { key: 'uploading' }, detail: null }))

  uploader.on('verifyProgress', (file) => {
    if (rows.get(file.id).state === 'uploading') show(file, { text: { key: 'verifying' } })
  })

  uploader.on('uploadProgress', (file, share) => {
    // A request that was running at the pause may still report progress.
    if (rows.get(file.id).state === 'paused') return
    show(file, { state: 'uploading', percent: Math.floor(share * 100), text: { key: 'uploading' } })
  })

  // Only this event has the body of a 5xx response. It does not change the upload.
  uploader.on('uploadAccept', (block, answer) => {
    if (answer.error?.message) serverSentences.set(block.file.id, answer.error.message)
  })

  uploader.on('uploadSuccess', (file) => {
    show(file, { percent: 100, text: { key: 'checking' } })
    complete(file)
  })

  uploader.on('uploadError', (file, reason) => {
    if (Landfall.resume.willRestart(file)) return
    const sentence = reason === 'server' ? serverSentences.get(file.id) : undefined
    const text = sentence ? { key: 'said', values: { sentence } } : { key: errorKey(reason) }
    show(file, { state: 'failed', text })
  })

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
      if (rows.get(file.id).state === 'failed') uploader.retry(file, true)
    }
    showEvery(['failed'], { state: 'waiting', percent: 0, text: { key: 'waiting' }, detail: null })
    uploader.retry()
  })

  /** Asks the server to confirm the file, and shows its URL. */
  function complete(file) {
    $.getJSON('upload/complete', { task_id: Landfall.resume.taskIdOf(file), filename: file.name })
      .done((answer) => {
        Landfall.resume.finish(file)
        show(file, { state: 'finished', url: answer.url ?? null, text: { key: 'finished' } })
      })
      .fail((request) => {
        const { error, missing } = request.responseJSON || {}
        const text = error ? { key: 'said', values: { sentence: error.message } } : { key: 'error-complete' }
        show(file, { state: 'failed', text, detail: missingText(missing) })
      })
  }

  function missingText(missing) {
    if (!Array.isArray(missing) || missing.length === 0) return null
    const more = missing.length > 10 ? ', …' : ''
    return { key: 'missing', values: { chunks: `${missing.slice(0, 10).join(', ')}${more}` } }
  }

  function errorKey(reason) {
    return ['http', 'server', 'abort', 'timeout'].includes(reason) ? `error-${reason}` : 'failed'
  }

  function show(file, changes) {
    rows.get(file.id).set(changes)
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
  showButtons()
})(window.jQuery, window.WebUploader, window.Landfall)
