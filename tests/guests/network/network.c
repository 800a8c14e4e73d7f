// A guest that tries what a guest can try on the network. It does not tidy up:
// that is for the host, when the call ends.
#include <stdlib.h>
#include <string.h>

#include "bindings/network.h"

typedef wasi_http_types_own_future_incoming_response_t pending_t;

static const uint64_t MILLISECOND = 1000 * 1000;

static void wait_for(wasi_io_poll_own_pollable_t pollable) {
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(pollable));
  wasi_io_poll_pollable_drop_own(pollable);
}

static void append(network_string_t *text, const uint8_t *bytes, size_t count) {
  text->ptr = realloc(text->ptr, text->len + count + 1);
  memcpy(text->ptr + text->len, bytes, count);
  text->len += count;
}

// Errors that are the guest's own have no other place to go.
static void internal(network_request_error_t *err, const char *words) {
  err->tag = WASI_HTTP_TYPES_ERROR_CODE_INTERNAL_ERROR;
  err->val.internal_error.is_some = true;
  network_string_dup(&err->val.internal_error.val, words);
}

static wasi_http_types_own_request_options_t timeouts(uint64_t milliseconds) {
  wasi_http_types_own_request_options_t options = wasi_http_types_constructor_request_options();
  wasi_http_types_borrow_request_options_t set = wasi_http_types_borrow_request_options(options);
  wasi_http_types_duration_t nanoseconds = milliseconds * MILLISECOND;
  wasi_http_types_method_request_options_set_connect_timeout(set, &nanoseconds);
  wasi_http_types_method_request_options_set_first_byte_timeout(set, &nanoseconds);
  wasi_http_types_method_request_options_set_between_bytes_timeout(set, &nanoseconds);
  return options;
}

static bool headers(network_message_t *message, wasi_http_types_own_headers_t *ret) {
  *ret = wasi_http_types_constructor_fields();
  for (size_t i = 0; i < message->headers.len; i++) {
    network_tuple2_string_string_t *header = &message->headers.ptr[i];
    wasi_http_types_field_value_t value = {header->f1.ptr, header->f1.len};
    wasi_http_types_header_error_t refused;
    if (!wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(*ret), &header->f0,
                                              &value, &refused))
      return false;
  }
  return true;
}

static void write_body(wasi_http_types_own_outgoing_body_t body, network_string_t *text) {
  wasi_http_types_own_output_stream_t stream;
  wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream);
  wasi_io_streams_stream_error_t failed;
  for (size_t done = 0; done < text->len;) {
    size_t count = text->len - done < 4096 ? text->len - done : 4096;
    network_list_u8_t chunk = {text->ptr + done, count};
    if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(
            wasi_io_streams_borrow_output_stream(stream), &chunk, &failed))
      break;
    done += count;
  }
  wasi_io_streams_output_stream_drop_own(stream);
  wasi_http_types_error_code_t unfinished;
  wasi_http_types_static_outgoing_body_finish(body, NULL, &unfinished);
}

static bool start(network_message_t *message, pending_t *ret, network_request_error_t *err) {
  wasi_http_types_own_headers_t fields;
  if (!headers(message, &fields)) {
    internal(err, "the header is forbidden");
    return false;
  }
  wasi_http_types_own_outgoing_request_t request =
      wasi_http_types_constructor_outgoing_request(fields);
  wasi_http_types_borrow_outgoing_request_t set = wasi_http_types_borrow_outgoing_request(request);
  wasi_http_types_method_t method = {.tag = WASI_HTTP_TYPES_METHOD_OTHER,
                                     .val.other = message->method};
  if (!wasi_http_types_method_outgoing_request_set_method(set, &method) ||
      !wasi_http_types_method_outgoing_request_set_scheme(set, &message->scheme) ||
      !wasi_http_types_method_outgoing_request_set_authority(set, &message->authority) ||
      !wasi_http_types_method_outgoing_request_set_path_with_query(set, &message->path)) {
    internal(err, "the request is malformed");
    return false;
  }
  wasi_http_types_own_outgoing_body_t body;
  bool has_body = message->body.len > 0;
  if (has_body) wasi_http_types_method_outgoing_request_body(set, &body);
  wasi_http_types_own_request_options_t options;
  if (message->patience.is_some) options = timeouts(message->patience.val);
  if (!wasi_http_outgoing_handler_handle(request, message->patience.is_some ? &options : NULL, ret,
                                         err))
    return false;
  if (has_body) write_body(body, &message->body);
  return true;
}

static bool read_body(wasi_http_types_borrow_incoming_response_t response, network_string_t *ret,
                      network_request_error_t *err) {
  wasi_http_types_own_incoming_body_t body;
  wasi_http_types_own_input_stream_t stream;
  wasi_http_types_method_incoming_response_consume(response, &body);
  wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream);
  for (;;) {
    network_list_u8_t chunk;
    wasi_io_streams_stream_error_t ended;
    if (wasi_io_streams_method_input_stream_blocking_read(
            wasi_io_streams_borrow_input_stream(stream), 65536, &chunk, &ended)) {
      append(ret, chunk.ptr, chunk.len);
      network_list_u8_free(&chunk);
    } else if (ended.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED) {
      return true;
    } else {
      wasi_io_error_own_error_t failed = ended.val.last_operation_failed;
      if (!wasi_http_types_http_error_code(wasi_io_error_borrow_error(failed), err))
        internal(err, "the body broke off");
      return false;
    }
  }
}

static bool await_answer(pending_t pending, network_answer_t *ret, network_request_error_t *err) {
  wasi_http_types_borrow_future_incoming_response_t future =
      wasi_http_types_borrow_future_incoming_response(pending);
  wait_for(wasi_http_types_method_future_incoming_response_subscribe(future));
  wasi_http_types_result_result_own_incoming_response_error_code_void_t result;
  wasi_http_types_method_future_incoming_response_get(future, &result);
  if (result.val.ok.is_err) {
    *err = result.val.ok.val.err;
    return false;
  }
  wasi_http_types_borrow_incoming_response_t response =
      wasi_http_types_borrow_incoming_response(result.val.ok.val.ok);
  memset(ret, 0, sizeof *ret);
  ret->status = wasi_http_types_method_incoming_response_status(response);
  network_string_t name;
  network_string_set(&name, "location");
  wasi_http_types_list_field_value_t values;
  wasi_http_types_method_fields_get(
      wasi_http_types_borrow_fields(wasi_http_types_method_incoming_response_headers(response)),
      &name, &values);
  if (values.len > 0) append(&ret->location, values.ptr[0].ptr, values.ptr[0].len);
  return read_body(response, &ret->body, err);
}

bool exports_network_request(network_message_t *message, network_answer_t *ret,
                             network_request_error_t *err) {
  pending_t pending;
  return start(message, &pending, err) && await_answer(pending, ret, err);
}

static network_string_t part(const char *from, size_t len) {
  network_string_t text = {NULL, 0};
  append(&text, (const uint8_t *)from, len);
  return text;
}

// `SCHEME://AUTHORITY/PATH`, or a path on the same host.
static void move_to(network_message_t *message, const network_string_t *location) {
  char *url = (char *)part((const char *)location->ptr, location->len).ptr;
  url[location->len] = 0;
  char *authority = strstr(url, "://");
  if (!authority) {
    message->path = part(url, strlen(url));
    return;
  }
  size_t scheme = authority - url;
  authority += 3;
  size_t end = strcspn(authority, "/?");
  if (scheme == 4 && !memcmp(url, "http", 4)) {
    message->scheme.tag = WASI_HTTP_TYPES_SCHEME_HTTP;
  } else if (scheme == 5 && !memcmp(url, "https", 5)) {
    message->scheme.tag = WASI_HTTP_TYPES_SCHEME_HTTPS;
  } else {
    message->scheme.tag = WASI_HTTP_TYPES_SCHEME_OTHER;
    message->scheme.val.other = part(url, scheme);
  }
  message->authority = part(authority, end);
  message->path = part(authority + end, strlen(authority + end));
}

bool exports_network_follow(network_message_t *message, network_answer_t *ret,
                            network_request_error_t *err) {
  for (int redirects = 0; redirects <= 10; redirects++) {
    if (!exports_network_request(message, ret, err)) return false;
    if (!ret->location.len) return true;
    move_to(message, &ret->location);
  }
  internal(err, "too many redirects");
  return false;
}

uint32_t exports_network_request_all(network_message_t *message, uint32_t times) {
  pending_t *pending = calloc(times, sizeof *pending);
  network_request_error_t err;
  uint32_t started = 0, answered = 0;
  for (uint32_t i = 0; i < times; i++)
    if (start(message, &pending[started], &err)) started++;
  for (uint32_t i = 0; i < started; i++) {
    network_answer_t answer;
    if (await_answer(pending[i], &answer, &err)) answered++;
  }
  return answered;
}

void exports_network_abandon(network_message_t *message, uint32_t times) {
  pending_t pending;
  network_request_error_t err;
  for (uint32_t i = 0; i < times; i++) start(message, &pending, &err);
  // Long enough for the requests to be on their way.
  wait_for(wasi_clocks_monotonic_clock_subscribe_duration(200 * MILLISECOND));
}

static wasi_sockets_network_borrow_network_t the_network(void) {
  return wasi_sockets_network_borrow_network(wasi_sockets_instance_network_instance_network());
}

bool exports_network_look_up(network_string_t *name, network_list_ip_address_t *ret,
                             network_socket_error_t *err) {
  wasi_sockets_ip_name_lookup_own_resolve_address_stream_t stream;
  if (!wasi_sockets_ip_name_lookup_resolve_addresses(the_network(), name, &stream, err))
    return false;
  wasi_sockets_ip_name_lookup_borrow_resolve_address_stream_t found =
      wasi_sockets_ip_name_lookup_borrow_resolve_address_stream(stream);
  ret->ptr = NULL;
  ret->len = 0;
  wait_for(wasi_sockets_ip_name_lookup_method_resolve_address_stream_subscribe(found));
  for (;;) {
    wasi_sockets_ip_name_lookup_option_ip_address_t next;
    if (!wasi_sockets_ip_name_lookup_method_resolve_address_stream_resolve_next_address(
            found, &next, err))
      return false;
    if (!next.is_some) break;
    ret->ptr = realloc(ret->ptr, (ret->len + 1) * sizeof *ret->ptr);
    ret->ptr[ret->len++] = next.val;
  }
  wasi_sockets_ip_name_lookup_resolve_address_stream_drop_own(stream);
  return true;
}

bool exports_network_tcp(network_ip_socket_address_t *remote, network_string_t *text,
                         network_string_t *ret, network_socket_error_t *err) {
  wasi_sockets_tcp_own_tcp_socket_t own;
  if (!wasi_sockets_tcp_create_socket_create_tcp_socket(remote->tag, &own, err)) return false;
  wasi_sockets_tcp_borrow_tcp_socket_t socket = wasi_sockets_tcp_borrow_tcp_socket(own);
  if (!wasi_sockets_tcp_method_tcp_socket_start_connect(socket, the_network(), remote, err))
    return false;
  wait_for(wasi_sockets_tcp_method_tcp_socket_subscribe(socket));
  wasi_sockets_tcp_tuple2_own_input_stream_own_output_stream_t streams;
  if (!wasi_sockets_tcp_method_tcp_socket_finish_connect(socket, &streams, err)) return false;
  network_list_u8_t bytes = {text->ptr, text->len};
  wasi_io_streams_stream_error_t failed;
  wasi_io_streams_method_output_stream_blocking_write_and_flush(
      wasi_io_streams_borrow_output_stream(streams.f1), &bytes, &failed);
  network_list_u8_t answer = {NULL, 0};
  wasi_io_streams_method_input_stream_blocking_read(
      wasi_io_streams_borrow_input_stream(streams.f0), 65536, &answer, &failed);
  ret->ptr = answer.ptr;
  ret->len = answer.len;
  return true;
}

static bool bound_udp(uint8_t family, network_ip_socket_address_t *local,
                      wasi_sockets_udp_borrow_udp_socket_t *ret, network_socket_error_t *err) {
  wasi_sockets_udp_own_udp_socket_t own;
  if (!wasi_sockets_udp_create_socket_create_udp_socket(family, &own, err)) return false;
  *ret = wasi_sockets_udp_borrow_udp_socket(own);
  if (!wasi_sockets_udp_method_udp_socket_start_bind(*ret, the_network(), local, err)) return false;
  wait_for(wasi_sockets_udp_method_udp_socket_subscribe(*ret));
  return wasi_sockets_udp_method_udp_socket_finish_bind(*ret, err);
}

bool exports_network_udp(network_ip_socket_address_t *remote, network_string_t *text,
                         network_string_t *ret, network_socket_error_t *err) {
  network_ip_socket_address_t any;
  memset(&any, 0, sizeof any);
  any.tag = remote->tag;
  wasi_sockets_udp_borrow_udp_socket_t socket;
  if (!bound_udp(remote->tag, &any, &socket, err)) return false;
  wasi_sockets_udp_tuple2_own_incoming_datagram_stream_own_outgoing_datagram_stream_t streams;
  if (!wasi_sockets_udp_method_udp_socket_stream(socket, NULL, &streams, err)) return false;
  wasi_sockets_udp_borrow_outgoing_datagram_stream_t out =
      wasi_sockets_udp_borrow_outgoing_datagram_stream(streams.f1);
  wasi_sockets_udp_outgoing_datagram_t datagram = {
      .data = {text->ptr, text->len}, .remote_address = {.is_some = true, .val = *remote}};
  wasi_sockets_udp_list_outgoing_datagram_t datagrams = {&datagram, 1};
  uint64_t sent;
  if (!wasi_sockets_udp_method_outgoing_datagram_stream_check_send(out, &sent, err)) return false;
  if (!wasi_sockets_udp_method_outgoing_datagram_stream_send(out, &datagrams, &sent, err))
    return false;
  // A refusal that comes late is told at the next occasion.
  wait_for(wasi_sockets_udp_method_outgoing_datagram_stream_subscribe(out));
  if (!wasi_sockets_udp_method_outgoing_datagram_stream_check_send(out, &sent, err)) return false;
  wasi_sockets_udp_borrow_incoming_datagram_stream_t in =
      wasi_sockets_udp_borrow_incoming_datagram_stream(streams.f0);
  wait_for(wasi_sockets_udp_method_incoming_datagram_stream_subscribe(in));
  wasi_sockets_udp_list_incoming_datagram_t received;
  if (!wasi_sockets_udp_method_incoming_datagram_stream_receive(in, 1, &received, err))
    return false;
  ret->ptr = NULL;
  ret->len = 0;
  if (received.len > 0) append(ret, received.ptr[0].data.ptr, received.ptr[0].data.len);
  return true;
}

bool exports_network_listen(network_ip_socket_address_t *local, network_socket_error_t *err) {
  wasi_sockets_tcp_own_tcp_socket_t own;
  if (!wasi_sockets_tcp_create_socket_create_tcp_socket(local->tag, &own, err)) return false;
  wasi_sockets_tcp_borrow_tcp_socket_t socket = wasi_sockets_tcp_borrow_tcp_socket(own);
  return wasi_sockets_tcp_method_tcp_socket_start_bind(socket, the_network(), local, err) &&
         wasi_sockets_tcp_method_tcp_socket_finish_bind(socket, err) &&
         wasi_sockets_tcp_method_tcp_socket_start_listen(socket, err) &&
         wasi_sockets_tcp_method_tcp_socket_finish_listen(socket, err);
}

bool exports_network_bind_udp(network_ip_socket_address_t *local, network_socket_error_t *err) {
  wasi_sockets_udp_borrow_udp_socket_t socket;
  return bound_udp(local->tag, local, &socket, err);
}

uint32_t exports_network_open_sockets(uint32_t most) {
  uint32_t open = 0;
  wasi_sockets_tcp_own_tcp_socket_t tcp;
  wasi_sockets_udp_own_udp_socket_t udp;
  network_socket_error_t err;
  while (open < most) {
    bool opened = open % 2 ? wasi_sockets_udp_create_socket_create_udp_socket(0, &udp, &err)
                           : wasi_sockets_tcp_create_socket_create_tcp_socket(0, &tcp, &err);
    if (!opened) break;
    open++;
  }
  return open;
}

uint32_t exports_network_reopen_sockets(uint32_t times) {
  uint32_t refused = 0;
  wasi_sockets_tcp_own_tcp_socket_t tcp;
  network_socket_error_t err;
  for (uint32_t i = 0; i < times; i++) {
    if (wasi_sockets_tcp_create_socket_create_tcp_socket(0, &tcp, &err))
      wasi_sockets_tcp_tcp_socket_drop_own(tcp);
    else
      refused++;
  }
  return refused;
}
