var task_id = query.get('task') || WebUploader.Base.guid();
// 登录后的令牌：分片放在表单字段里，其它请求放在参数里
var token = '';
if (query.get('check')) var file_list_finish = [];

// 异步钩子：等一会儿才放行；到了 stopAt 那一块就暂停
var waiting = 0;
var stopped = false;
var hookDelay = Number(query.get('hookDelay') || 0);
var stopAt = query.has('stopAt') ? Number(query.get('stopAt')) : -1;

WebUploader.Uploader.register({
    'before-send': 'beforeSend'
}, {
    beforeSend: function (block) {
        var deferred = WebUploader.Deferred();
        if (query.get('check') && file_list_finish.indexOf(task_id + block.chunk) !== -1) {
            deferred.reject();
        } else if (hookDelay) {
            waiting++;
            setTimeout(function () {
                waiting--;
                deferred.resolve();
            }, hookDelay);
            if (block.chunk === stopAt && !stopped) {
                stopped = true;
                uploader.stop(true);
            }
        } else {
            deferred.resolve();
        }
        return deferred.promise();
    }
});

var options = {
    server: '/upload/accept',
    pick: '#picker',
    auto: true,
    chunked: true,
    chunkSize: Number(query.get('chunkSize') || 20 * 1024 * 1024),
    threads: Number(query.get('threads') || 1),
    duplicate: true,
    formData: {task_id: task_id}
};
if (query.get('prepareNextFile')) options.prepareNextFile = true;
if (query.get('sendAsBinary')) options.sendAsBinary = true;

var uploader = WebUploader.create(options);

if (query.get('check')) {
    $('#picker').on('click', function () {
        $.ajax({
            url: '/check' + (token && '?token=' + encodeURIComponent(token)), type: 'POST', data: 'POST TEST', dataType: 'json',
            success: function (data) {
                file_list_finish = String(data.file_list).split(',');
            }
        });
    });
}

// 每个文件开始时换一个 task_id
if (query.get('taskPerFile')) {
    uploader.on('uploadStart', function (file) {
        uploader.options.formData.task_id = 'task-of-' + file.name;
    });
}

uploader.on('uploadBeforeSend', function (block, data) {
    if (token) data.token = token;
});

uploader.on('uploadProgress', function (file, percentage) {
    $('#percent').text(Math.floor(percentage * 100) + '%');
});

uploader.on('uploadSuccess', function (file) {
    var form = query.get('complete') || 'filename';
    if (form === 'filename') {
        $.get('/upload/complete', $.extend({task_id: task_id, filename: file.name}, token && {token: token}));
    } else if (form === 'ext') {
        $.get('/upload/complete', {task_id: task_id, ext: file.source.ext, type: file.source.type});
    } else {
        $.post('/upload/complete', {task_id: task_id, filename: file.name});
    }
    $('#state').text('上传完成');
});

uploader.on('uploadError', function (file, reason) {
    $('#state').text('上传出错：' + reason);
});
