/* A row of the list: name, progress bar, and state of a file. */
;(($, WebUploader, Landfall) => {
  const BAR_CLASSES = {
    finished: 'bg-success',
    failed: 'bg-danger',
    rejected: 'bg-danger',
    paused: 'bg-warning',
    'signed-out': 'bg-warning',
  }
  const ENDED = ['finished', 'rejected']

  /** Adds a row for a WebUploader file and returns it; `set` updates it, `remove` moves the focus to the next row. */
  Landfall.addRow = (file, cancel) => {
    const row = { name: file.name, state: 'waiting', percent: 0, text: { key: 'waiting' }, detail: null, url: null }
    const $name = $('<span class="file-name">').text(file.name).attr('title', file.name)
    const $size = $('<span class="file-size text-body-secondary">').text(WebUploader.formatSize(file.size))
    const $bar = $('<div class="progress-bar" role="progressbar" aria-valuemin="0" aria-valuemax="100">')
    const $state = $('<p class="file-state mb-0" role="status">')
    const $link = $('<a class="file-link" target="_blank">')
    const $cancel = $('<button type="button" class="btn btn-sm btn-outline-secondary file-cancel">').on('click', cancel)
    const $row = $('<li class="list-group-item file-row">').append(
      $('<div class="file-title">').append($name, $size),
      $('<div class="progress">').append($bar),
      $('<div class="file-end">').append($state, $cancel),
      $link,
    )

    row.set = (changes) => {
      Object.assign(row, changes)
      render()
    }

    row.remove = () => {
      const nearest = [...$row.nextAll(), ...$row.prevAll(), document.querySelector('#picker')]
      const buttons = nearest.map((place) => place.querySelector('.file-cancel:not([hidden]), input[type=file]'))
      buttons.find((button) => button !== null)?.focus()
      $row.remove()
    }

    function render() {
      $row.attr('data-state', row.state)
      $bar
        .css('width', `${row.percent}%`)
        .attr({ 'aria-valuenow': row.percent, 'aria-label': Landfall.t('progress', { name: file.name }) })
        .toggleClass('progress-bar-striped progress-bar-animated', row.state === 'uploading')
        .removeClass(Object.values(BAR_CLASSES).join(' '))
        .addClass(BAR_CLASSES[row.state] || '')
      const sentences = [row.text, row.detail].filter(Boolean)
      const text = sentences.map(({ key, values }) => Landfall.t(key, { percent: row.percent, ...values })).join(' ')
      if ($state.text() !== text) $state.text(text)
      $state
        .toggleClass('text-danger-emphasis', row.state === 'failed' || row.state === 'rejected')
        .toggleClass('text-success-emphasis', row.state === 'finished')
      $cancel
        .prop('hidden', ENDED.includes(row.state))
        .text(Landfall.t('cancel'))
        .attr('aria-label', Landfall.t('cancel-file', { name: file.name }))
      $link.prop('hidden', row.url === null)
      if (row.url !== null) $link.attr('href', row.url).text(row.url)
    }

    Landfall.onLanguage(render)
    render()
    $('#thelist').append($row)
    return row
  }
})(window.jQuery, window.WebUploader, window.Landfall)
