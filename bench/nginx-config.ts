/** The directory, inside that of nginx, whose files it serves at `/`. */
export const NGINX_ROOT = 'files'

/** A minimal configuration for serving files on a port, with everything inside its directory. */
export function nginxConfig(port: number, folder: string): string {
  // As root, nginx would switch to a user that cannot read the bench's directory.
  const user = process.getuid?.() === 0 ? 'user root;\n' : ''
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `${user}daemon off;
worker_processes 1;
pid "${folder}/nginx.pid";
error_log stderr error;
events {
  worker_connections 256;
}
http {
  access_log off;
  sendfile on;
  keepalive_requests 100000;
${temporary.map((name) => `  ${name}_temp_path "${folder}/${name}";`).join('\n')}
  server {
    listen 127.0.0.1:${port};
    root "${folder}/${NGINX_ROOT}";
  }
}
`
}
