"""chdb.py - a current ClickHouse engine behind the HTTP that Farthing speaks: `python3 chdb.py LIBCHDB.SO FOLDER`.

For the dialect: that a current engine takes the very statements and rows which 18.16 takes. It answers one request at a
time. External tables of a question become tables in memory for the time of the question. Prints the port.
"""
import ctypes
import email
import http.server
import os
import sys
import threading
import urllib.parse

lib = ctypes.CDLL(sys.argv[1])
lib.chdb_connect.restype = ctypes.POINTER(ctypes.c_void_p)
lib.chdb_connect.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
lib.chdb_query_n.restype = ctypes.c_void_p
lib.chdb_query_n.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
lib.chdb_result_buffer.restype = ctypes.c_void_p
lib.chdb_result_length.restype = ctypes.c_size_t
lib.chdb_result_error.restype = ctypes.c_char_p
for f in (lib.chdb_result_buffer, lib.chdb_result_length, lib.chdb_result_error, lib.chdb_destroy_query_result):
    f.argtypes = [ctypes.c_void_p]
folder = sys.argv[2]
os.makedirs(folder, exist_ok=True)
words = [b"clickhouse", b"--path=" + (folder + "/data").encode()]
connection = lib.chdb_connect(len(words), (ctypes.c_char_p * len(words))(*words))


def query(sql):
    """(True, bytes) or (False, message)."""
    sql = sql.encode()
    r = lib.chdb_query_n(connection[0], sql, len(sql), b"TabSeparated", 12)
    if not r:
        return False, b"no result"
    try:
        error = lib.chdb_result_error(r)
        if error:
            return False, error
        n = lib.chdb_result_length(r)
        return True, ctypes.string_at(lib.chdb_result_buffer(r), n) if n else b""
    finally:
        lib.chdb_destroy_query_result(r)


def put(name, body):
    path = f"{folder}/{name}.bin"
    with open(path, "wb") as f:
        f.write(body)
    return path


one = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        p = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(self.path).query))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with one:
            ok, out = self.answer(p, body)
        self.send_response(200 if ok else 500)
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def answer(self, p, body):
        sql, tables = p.get("query", ""), []
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/"):
            message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
            for part in message.get_payload():
                name = part.get_param("name", header="Content-Disposition")
                # email would end lines its own way: the bytes are taken from the request
                at = body.index(b"\r\n\r\n", body.index(f'name="{name}"'.encode())) + 4
                data = body[at:body.index(b"\r\n--" + message.get_boundary().encode(), at)]
                tables.append(name)
                for q in (f"DROP TABLE IF EXISTS default.{name}", f"CREATE TABLE default.{name} ({p[name + '_structure']}) ENGINE = Memory",
                          f"INSERT INTO default.{name} SELECT * FROM file('{put(name, data)}', 'RowBinary', '{p[name + '_structure']}')"):
                    ok, out = query(q)
                    if not ok and not (data == b"" and q.startswith("INSERT")):
                        return False, out
        elif body and sql.startswith("INSERT"):
            # rows of the body, through a file
            sql = sql.replace(" FORMAT RowBinary", f" FROM INFILE '{put('rows', body)}' FORMAT RowBinary")
        elif body:
            sql = body.decode()
        return query(sql)

    def log_message(self, *args):
        pass


ok, out = query("CREATE DATABASE IF NOT EXISTS default")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], query("SELECT version()")[1].decode().strip(), flush=True)
server.serve_forever()
