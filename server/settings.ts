import { z } from 'zod'
import { DEFAULT_HOOKS } from './hooks/hook-names.ts'
import {
  adminNodes,
  allOrSome,
  basePath,
  claim,
  command,
  cookieName,
  dialects,
  fileTypes,
  folderTemplate,
  forwardedHeaders,
  headerSecret,
  hookNames,
  host,
  httpUrl,
  keyPrefix,
  keyTemplate,
  longSecret,
  mode,
  names,
  node,
  nodeName,
  nonEmpty,
  oneOf,
  optionalPort,
  origin,
  ownSecret,
  publicKeyAlgorithms,
  publicUrl,
  scanUrl,
  sizeLimit,
  socketAddress,
  socketPath,
  unownedUploads,
  webhookKeys,
  webhookUrls,
  wholeBetween,
} from './settings-schemas.ts'

/** The documentation of a setting: its default, with the unit, and its meaning. */
export const descriptions = z.registry<{ readonly default: string; readonly help: string; readonly isSecret?: true }>()

/**
 * Every setting: an environment variable, and a flag of the same name. Other users of the host can read the flags of a
 * process, so a secret has none; instead, a variable and a flag with `_FILE` name a file that contains it.
 */
export const declaration = z.object({
  HOST: setting('127.0.0.1', 'Address to listen on.', nonEmpty()),
  PORT: setting('1080', 'Port to listen on; 0 picks a free one.', wholeBetween(0, 65_535)),
  DATA_DIR: setting(
    './data',
    'Directory for uploads and finished files; with STORE=s3, for notes that may be lost.',
    nonEmpty(),
  ),
  STORE: setting('disk', 'Where uploads are kept: disk (in DATA_DIR), s3 (in S3_BUCKET).', oneOf('disk', 's3')),
  S3_BUCKET: setting('', 'Bucket of STORE=s3. Several nodes may share it.', z.string()),
  S3_ENDPOINT: setting('', 'URL of the S3 service; without it, that of AWS in S3_REGION.', httpUrl()),
  S3_REGION: setting('us-east-1', 'Region of the bucket; auto for Cloudflare R2.', nonEmpty()),
  S3_ACCESS_KEY_ID: setting(
    '',
    'Access key of the S3 service; without it, the usual places of AWS are searched (AWS_ACCESS_KEY_ID, profiles, roles).',
    z.string(),
  ),
  S3_SECRET_ACCESS_KEY: secret('Secret of S3_ACCESS_KEY_ID.', z.string()),
  S3_PREFIX: setting('.landfall/', 'Where keys of unfinished uploads begin; ends with a slash.', keyPrefix()),
  S3_KEY: setting(
    'files/{folder}/{id}/{name}',
    'Key of a finished file, by these fields: {id} (required), {name}, {folder} (FOLDER; may be empty), {owner} (or anonymous).',
    keyTemplate(),
  ),
  S3_PART_SIZE: setting(
    '8388608',
    'Usual size of the pieces in which bytes are stored.',
    wholeBetween(5 * 1024 * 1024, 32 * 1024 * 1024),
    'bytes',
  ),
  S3_PARALLEL: setting('4', 'How many pieces of one request are stored at a time.', wholeBetween(1, 64)),
  S3_MEMORY: setting(
    '268435456',
    'Memory for bytes that are not stored yet.',
    wholeBetween(64 * 1024 * 1024, 1024 ** 4),
    'bytes',
  ),
  S3_FLUSH_AFTER: setting(
    '30',
    'How long bytes of a slow client may wait before they are stored.',
    wholeBetween(1, 3600),
    'seconds',
  ),
  S3_DOWNLOADS: setting(
    'proxy',
    'How finished files are read: proxy (through the service), redirect (a signed URL of the bucket, valid for 5 minutes).',
    oneOf('proxy', 'redirect'),
  ),
  FILE_MODE: setting(
    '0640',
    'Permissions of finished files (octal). Everything else in DATA_DIR is for the service only.',
    mode(
      0o600,
      0o111,
      'must be an octal number like 0640: read and write for the owner, no execute, no write for others',
    ),
  ),
  DIR_MODE: setting(
    '0750',
    'Permissions of DATA_DIR and the directories of finished files (octal), if they are new.',
    mode(0o700, 0o002, 'must be an octal number like 0750: all rights for the owner, no write for others'),
  ),
  FOLDER: setting(
    '',
    'Folder in DATA_DIR/files for new files, by these fields: {yyyy}, {mm}, {dd} (UTC, of the creation), {owner} (or anonymous), {id}. For example, {yyyy}/{mm} stores a file as files/2026/11/<id>/<name>. Empty = files/<id>/<name>.',
    folderTemplate(),
  ),
  MAX_SIZE: setting('0', 'Maximum file size; 0 = unlimited.', sizeLimit(), 'bytes'),
  MAX_METADATA: setting('8192', 'Maximum metadata per upload, decoded.', sizeLimit(), 'bytes'),
  QUOTA_BYTES: setting(
    '0',
    'Maximum total size of the uploads of an account, as declared or as stored. An account is an owner, or an anonymous client address (IPv6: /64 network). 0 = unlimited.',
    sizeLimit(),
    'bytes',
  ),
  QUOTA_FILES: setting('0', 'Maximum uploads of an account, finished or not; 0 = unlimited.', sizeLimit()),
  QUOTA_UNFINISHED: setting('100000', 'Maximum unfinished uploads of an account; 0 = unlimited.', sizeLimit()),
  TOTAL_BYTES: setting('0', 'Like QUOTA_BYTES, for all accounts together.', sizeLimit(), 'bytes'),
  TOTAL_FILES: setting('0', 'Like QUOTA_FILES, for all accounts together.', sizeLimit()),
  TOTAL_UNFINISHED: setting('0', 'Like QUOTA_UNFINISHED, for all accounts together.', sizeLimit()),
  CREATIONS_PER_MINUTE: setting(
    '6000',
    'Maximum new uploads of an account per minute, and a tenth of them while other accounts upload. A sixth may come at once, further ones wait; they fail only if more than 1000 are waiting, or one for more than 50 s. 0 = unlimited.',
    sizeLimit(),
  ),
  REQUESTS_PER_MINUTE: setting(
    '0',
    'Like CREATIONS_PER_MINUTE, for all requests of a client address except health checks. 0 = unlimited.',
    sizeLimit(),
  ),
  MIN_FREE: setting(
    '1073741824',
    'Minimum free disk space: uploads fail before the disk is full. At most a tenth of the disk; 0 = none.',
    wholeBetween(0, Number.MAX_SAFE_INTEGER),
    'bytes',
  ),
  MIN_FREE_INODES: setting('10000', 'Minimum free inodes, likewise.', wholeBetween(0, Number.MAX_SAFE_INTEGER)),
  MAX_CHUNKS: setting('100000', 'Maximum chunks per WebUploader file.', wholeBetween(1, 10_000_000)),
  ALLOWED_TYPES: setting(
    '',
    'Accepted file types: a comma-separated list of extensions (.pdf) and MIME types (application/pdf, image/*). The content must match the extension. Empty = all.',
    fileTypes(),
  ),
  SCAN_CMD: setting(
    '',
    'Command that scans each file on its standard input before it becomes visible: exit code 0 = clean, 1 = rejected, any other = no verdict, retried later. No shell; arguments are separated by spaces.',
    command(),
  ),
  SCAN_URL: setting(
    '',
    'URL that each file is posted to before it becomes visible: 200 or 204 = clean, 422 = rejected, any other = no verdict, retried later.',
    scanUrl(),
  ),
  SCAN_CLAMD: setting(
    '',
    'Address of the clamd that scans each file before it becomes visible: host:port, or the path of its socket.',
    socketAddress(),
  ),
  SCAN_TIMEOUT: setting('600', 'Maximum duration of a scan.', wholeBetween(1, 1_000_000), 'seconds'),
  SCAN_CONCURRENCY: setting('2', 'Maximum concurrent scans; further files wait.', wholeBetween(1, 1_000)),
  QUARANTINE_SIZE: setting(
    '1073741824',
    'Maximum total size of rejected files in quarantine; the oldest are deleted first. 0 = keep none.',
    wholeBetween(0, Number.MAX_SAFE_INTEGER),
    'bytes',
  ),
  EXPIRES_AFTER: setting(
    '604800',
    'How long an unfinished upload is kept after its last byte.',
    wholeBetween(1, 1_000_000_000),
    'seconds',
  ),
  SYNC: setting(
    'finish',
    'When bytes are synced to disk: finish (before a file counts as finished), always (before any byte is acknowledged), never.',
    oneOf('finish', 'always', 'never'),
  ),
  IDLE_TIMEOUT: setting(
    '60000',
    'How long a client may send no data before its connection is closed; its bytes are kept.',
    wholeBetween(1, 2_000_000_000),
    'ms',
  ),
  MAX_CONNECTIONS: setting(
    '0',
    'Maximum open connections per address (IPv6: per /64 network); 0 = unlimited. Behind a proxy, all clients have its address.',
    wholeBetween(0, 1_000_000),
  ),
  MAX_UPLOADS: setting(
    '0',
    'Maximum concurrent uploads per client address (IPv6: per /64 network); further requests wait. 0 = unlimited.',
    wholeBetween(0, 1_000_000),
  ),
  DRAIN: setting('30', 'How long running requests may continue after SIGTERM.', wholeBetween(0, 86_400), 'seconds'),
  SHUTDOWN_DELAY: setting(
    '0',
    'How long the service still accepts requests after SIGTERM while /readyz reports 503: proxies need this time to learn it.',
    wholeBetween(0, 3_600),
    'seconds',
  ),
  KEEP_ALIVE: setting(
    '65',
    'How long an idle connection stays open. Proxies in front need a shorter time.',
    wholeBetween(1, 86_400),
    'seconds',
  ),
  UNIX_SOCKET: setting(
    '',
    'Path of a Unix socket to listen on, instead of HOST and PORT; its group may connect, too. Needs TRUST_PROXY.',
    socketPath(),
  ),
  BASE_PATH: setting(
    '',
    'Path before all paths of the service, such as /uploads, if the proxy does not strip it.',
    basePath(),
  ),
  PUBLIC_URL: setting(
    '',
    'Public URL of this service; without it, browsers and clients behind proxies receive relative URLs.',
    publicUrl(),
  ),
  DOWNLOAD_URL: setting(
    '',
    'URL of this service under another host name, which serves only finished files; downloads are redirected there.',
    publicUrl(),
  ),
  ALLOWED_ORIGINS: setting(
    '',
    'Other origins whose pages may upload, and embed files: a comma-separated list, or * for all, but without their cookies.',
    allOrSome(origin()),
  ),
  ALLOWED_HOSTS: setting(
    '',
    'Host names that clients may use: a comma-separated list, or * for all. Always allowed: addresses, names without a dot, local names (.local, .lan, .internal, .home.arpa, .svc), HOST, and the hosts of PUBLIC_URL and DOWNLOAD_URL. Requests through a trusted proxy are not checked.',
    allOrSome(host()),
  ),
  TRUST_PROXY: setting(
    'false',
    'Which proxy headers to trust: true (X-Forwarded-For, -Proto, -Prefix), forwarded (Forwarded), false (none).',
    oneOf('false', 'true', 'forwarded'),
  ),
  INTERIM_RESPONSES: setting(
    'direct',
    'Which requests receive 104 (Upload Resumption Supported): direct (those without a proxy), always (if the proxy passes it on), never.',
    oneOf('direct', 'always', 'never'),
  ),
  DIALECTS: setting(
    '',
    'Upload libraries besides WebUploader whose pages may upload: a comma-separated list of dialects (flow, dropzone, …) and of files ending in .json, each with or without its path (dropzone:/photos). Empty = none.',
    dialects(),
  ),
  LEGACY_IDENTITY: setting(
    'task_id,id,name,size,lastModifiedDate,chunks',
    'Fields that distinguish WebUploader files; task_id, name, and size always do. Without id and lastModifiedDate, a file that is selected again is the same upload.',
    names(),
  ),
  LEGACY_CHECK: setting(
    'list',
    'What /check lists if the page names no file: list (chunks that all unfinished uploads of the visitor’s task have), safe (nothing).',
    oneOf('safe', 'list'),
  ),
  AUTH: setting(
    'none',
    'Who may use the service: none (any client; the URL of an upload is the right to it), jwt (clients with a token), forward (clients that AUTH_URL allows).',
    oneOf('none', 'jwt', 'forward'),
  ),
  JWT_SECRET: secret('Secret of tokens signed with HS256; at least 32 bytes.', longSecret()),
  JWKS_URL: setting('', 'URL of the public keys of tokens (JWKS).', httpUrl()),
  JWT_ALGORITHMS: setting(
    'RS256,ES256,EdDSA',
    'Accepted algorithms of tokens signed with keys of JWKS_URL: a comma-separated list of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519.',
    publicKeyAlgorithms(),
  ),
  JWT_AUDIENCE: setting('', 'Required audience (aud) of tokens.', z.string()),
  JWT_ISSUER: setting('', 'Required issuer (iss) of tokens; also the issuer of subjects without one.', z.string()),
  AUTH_COOKIE: setting('', 'Cookie that may hold a token, for AUTH=jwt.', cookieName()),
  AUTH_FIELD: setting(
    '',
    'Field of WebUploader pages that may hold a token, in the form or the query; not one that WebUploader or LEGACY_IDENTITY uses. Without it, no field may.',
    z.string().trim(),
  ),
  TOKEN_KEY: secret(
    'Key with which an application creates upload tokens (POST /tokens), for AUTH=jwt; at least 32 characters. Without it, there is no such endpoint.',
    headerSecret(),
  ),
  AUTH_URL: setting('', 'URL of the service that authorizes each request, for AUTH=forward.', httpUrl()),
  AUTH_SUBJECT_HEADER: setting(
    'Remote-User',
    'Header in which AUTH_URL names the user.',
    z.string().regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header'),
  ),
  UNOWNED_UPLOADS: setting(
    'none',
    'With AUTH on, who can use uploads created with AUTH=none: none, everyone (any signed-in client), sub:NAME (a subject of JWT_ISSUER).',
    unownedUploads(),
  ),
  DOWNLOADS: setting(
    'on',
    'Who may download: on (clients that may read the upload), signed (only clients with a signed link), off.',
    oneOf('on', 'signed', 'off'),
  ),
  TERMINATION: setting(
    'on',
    'What clients may delete: on (their uploads), unfinished (only unfinished ones), off (nothing).',
    oneOf('on', 'unfinished', 'off'),
  ),
  INSTANT: setting(
    'off',
    'Whose finished files become uploads without being sent again, after a proof that the client has them: off, owner (the same owner’s; needs AUTH), all (of all clients).',
    oneOf('off', 'owner', 'all'),
  ),
  HOOKS_URL: setting('', 'URL that hooks are posted to, as tusd 2 does. Not together with HOOKS_DIR.', httpUrl()),
  HOOKS_DIR: setting(
    '',
    'Directory of programs that are called after hooks, as with tusd 2: the JSON on standard input, the answer on standard output.',
    z.string(),
  ),
  HOOKS_EVENTS: setting(
    DEFAULT_HOOKS.join(','),
    'Hooks that are called: a comma-separated list of pre-create, post-create, post-receive, pre-finish, post-finish, pre-terminate, post-terminate, post-expire, post-fail.',
    hookNames(),
  ),
  HOOKS_TIMEOUT: setting('15000', 'Maximum duration of each attempt to call a hook.', wholeBetween(1, 3_600_000), 'ms'),
  HOOKS_RETRIES: setting(
    '2',
    'How often HOOKS_URL is called again after a network error or a status of 500 or more.',
    wholeBetween(0, 20),
  ),
  HOOKS_BACKOFF: setting(
    '1000',
    'Wait before the first retry; each further wait is twice as long.',
    wholeBetween(1, 60_000),
    'ms',
  ),
  HOOKS_FORWARD_HEADERS: setting(
    '',
    'Headers of the client’s request that HOOKS_URL receives as headers: a comma-separated list.',
    forwardedHeaders(),
  ),
  HOOKS_SECRET: secret(
    'Secret that signs the calls of HOOKS_URL by Standard Webhooks: whsec_ and 24 to 64 bytes in base64; several, separated by spaces, during a rotation.',
    webhookKeys(),
  ),
  PROGRESS_INTERVAL: setting(
    '1000',
    'Minimum time between two reports of the progress of an upload (post-receive).',
    wholeBetween(1, 3_600_000),
    'ms',
  ),
  WEBHOOK_URLS: setting(
    '',
    'URLs that receive events, signed by Standard Webhooks: a comma-separated list, at most 20. Empty = none.',
    webhookUrls(),
  ),
  WEBHOOK_SECRET: secret(
    'Secret that signs webhooks: whsec_ and 24 to 64 bytes in base64; several, separated by spaces, during a rotation.',
    webhookKeys(),
  ),
  WEBHOOK_EVENTS: setting(
    'finished,failed,rejected,deleted,expired',
    'Events that webhooks report: a comma-separated list of created, finished, failed, rejected, deleted, expired.',
    names().pipe(z.array(oneOf('created', 'finished', 'failed', 'rejected', 'deleted', 'expired'))),
  ),
  WEBHOOK_TIMEOUT: setting(
    '20',
    'Maximum duration of one attempt to deliver a webhook.',
    wholeBetween(1, 300),
    'seconds',
  ),
  SECRET: secret(
    'Source of the keys for owners, links, tokens, and ids; at least 32 characters. Without it, one is kept in DATA_DIR.',
    ownSecret(),
  ),
  LOG_LEVEL: setting(
    'info',
    'Log level: fatal, error, warn, info, debug, trace, silent.',
    oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  ),
  LOG_FORMAT: setting(
    'json',
    'Format of the log: json (one object per line), pretty (for people).',
    oneOf('json', 'pretty'),
  ),
  ACCESS_LOG: setting('off', 'Whether each request is logged: on, off.', oneOf('on', 'off')),
  AUDIT_LOG: setting(
    '',
    'File that receives a line for each upload that is created, finished, rejected, deleted, or downloaded, and each act of an administrator; stderr for standard error. Empty = none.',
    z.string(),
  ),
  NODE: setting(
    '',
    'One to four letters with which the ids of this node begin, so that a proxy finds the node of an upload among several with folders of their own.',
    node(),
  ),
  NODE_NAME: setting('', 'Name of this node in metrics and logs; by default, NODE, or else the host name.', nodeName()),
  ADMIN_PORT: setting(
    '',
    'Port of the metrics, the admin API, and its page; 0 picks a free one. Empty = none of them.',
    optionalPort(),
  ),
  ADMIN_HOST: setting('127.0.0.1', 'Address to listen on for administrators.', nonEmpty()),
  ADMIN_TOKEN: secret(
    'Token of administrators; at least 32 characters. Without it and ADMIN_CLAIM, there are only metrics and health checks at ADMIN_PORT.',
    headerSecret(),
  ),
  ADMIN_NODES: setting(
    '',
    'Pages of administrators of all nodes, to which the page links: name=url, separated by commas.',
    adminNodes(),
  ),
  ADMIN_CLAIM: setting(
    '',
    'Claim that makes the bearer of a token of AUTH=jwt an administrator: name=value, such as role=admin.',
    claim(),
  ),
})

/** The settings, parsed. */
export type Settings = Readonly<z.output<typeof declaration>>

/** Whether no error, help, or log may show the setting. */
export function isSecret(name: string): boolean {
  return Object.entries(declaration.shape).some(
    ([key, schema]) => key === name && descriptions.get(schema)?.isSecret === true,
  )
}

/** The flag of a variable, without its dashes. */
export function flagOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

function setting<T>(fallback: string, help: string, schema: z.ZodType<T, string>, unit?: string) {
  const shown = unit === undefined ? fallback : `${fallback} ${unit}`
  return schema.prefault(fallback).register(descriptions, { default: shown, help })
}

/** A setting that no error, help, or log shows. Empty for none. */
function secret(help: string, schema: z.ZodType<string, string>) {
  return schema.prefault('').register(descriptions, { default: '', help, isSecret: true })
}
