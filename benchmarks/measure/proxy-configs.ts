type Options = { port: number; upstream: string; keys: readonly string[]; dir: string };

const limitPerSecond = 1_000_000;

/** nginx with the keys in a map (in the clear, in its configuration), a limit per key, one worker like everybody here. */
export const nginxConfig = ({ port, upstream, keys, dir }: Options): string => `
daemon off;
pid ${dir}/nginx.pid;
worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${dir}/nginx-body;
  proxy_temp_path ${dir}/nginx-proxy;
  fastcgi_temp_path ${dir}/nginx-fastcgi;
  uwsgi_temp_path ${dir}/nginx-uwsgi;
  scgi_temp_path ${dir}/nginx-scgi;
  map_hash_bucket_size 256;
  map_hash_max_size 65536;
  map $http_x_api_key $consumer { default ""; ${keys.map((key, index) => `"${key}" consumer${index};`).join(' ')} }
  limit_req_zone $consumer zone=keys:16m rate=${limitPerSecond}r/s;
  upstream backend { server ${upstream}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 1000000;
    location / {
      if ($consumer = "") { return 401; }
      limit_req zone=keys burst=10000 nodelay;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Consumer $consumer;
      proxy_pass http://backend;
    }
  }
}
`;

/** HAProxy with the keys in a map file (`keys.map`, in the clear), a stick table as limit, one thread. */
export const haproxyConfig = ({ port, upstream, dir }: Options): string => `
global
  nbthread 1
  maxconn 2000
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
  option http-keep-alive
frontend api
  bind 127.0.0.1:${port}
  stick-table type string len 80 size 100k expire 60s store http_req_rate(60s)
  http-request set-var(txn.consumer) req.hdr(x-api-key),map_str(${dir}/keys.map)
  http-request deny deny_status 401 unless { var(txn.consumer) -m found }
  http-request track-sc0 req.hdr(x-api-key)
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt ${limitPerSecond * 60} }
  default_backend service
backend service
  http-reuse always
  server upstream ${upstream}
`;

/** The map file of HAProxy: a key and its consumer on each line. */
export const keysMap = (keys: readonly string[]): string =>
  keys.map((key, index) => `${key} consumer${index}\n`).join('');
