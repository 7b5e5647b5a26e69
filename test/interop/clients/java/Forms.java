import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import okhttp3.MediaType;
import okhttp3.MultipartBody;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okio.BufferedSink;
import okio.Okio;
import org.apache.hc.client5.http.classic.methods.HttpPost;
import org.apache.hc.client5.http.entity.mime.HttpMultipartMode;
import org.apache.hc.client5.http.entity.mime.MultipartEntityBuilder;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.core5.http.ContentType;
import org.apache.hc.core5.http.io.entity.EntityUtils;
import org.json.JSONArray;
import org.json.JSONObject;

/** Forms artifact mode job: sends forms with an HTTP client of Java. Prints each response as a line of JSON. */
class Forms {
  record Answer(int status, String body) {}

  record Part(String name, String value) {}

  /** A form to send; the part without a value is the file. */
  record Form(List<Part> parts, File file, String name, boolean streamed) {
    static Form of(JSONObject json) {
      List<Part> parts = new ArrayList<>();
      JSONArray fields = json.getJSONArray("fields");
      for (int i = 0; i < fields.length(); i++) {
        parts.add(new Part(fields.getJSONArray(i).getString(0), fields.getJSONArray(i).getString(1)));
      }
      parts.add(json.optBoolean("fieldsAfter") ? 0 : parts.size(), new Part("file", null));
      return new Form(parts, new File(json.getString("file")), json.getString("name"), json.optBoolean("streamed"));
    }
  }

  interface Client {
    Answer post(String url, Form form) throws IOException;
  }

  static Client apache5(HttpMultipartMode mode) {
    return (url, form) -> {
      MultipartEntityBuilder builder = MultipartEntityBuilder.create().setMode(mode).setCharset(StandardCharsets.UTF_8);
      for (Part part : form.parts()) {
        if (part.value() != null) {
          builder.addTextBody(part.name(), part.value(), ContentType.TEXT_PLAIN.withCharset(StandardCharsets.UTF_8));
        } else if (form.streamed()) {
          builder.addBinaryBody(part.name(), new FileInputStream(form.file()), ContentType.DEFAULT_BINARY, form.name());
        } else {
          builder.addBinaryBody(part.name(), form.file(), ContentType.DEFAULT_BINARY, form.name());
        }
      }
      HttpPost post = new HttpPost(url);
      post.setEntity(builder.build());
      try (CloseableHttpClient client = HttpClients.createDefault()) {
        return client.execute(post, answer -> new Answer(answer.getCode(), EntityUtils.toString(answer.getEntity())));
      }
    };
  }

  static Answer apache4(String url, Form form) throws IOException {
    var utf8 = org.apache.http.entity.ContentType.TEXT_PLAIN.withCharset(StandardCharsets.UTF_8);
    var binary = org.apache.http.entity.ContentType.DEFAULT_BINARY;
    var builder = org.apache.http.entity.mime.MultipartEntityBuilder.create()
        .setMode(org.apache.http.entity.mime.HttpMultipartMode.BROWSER_COMPATIBLE)
        .setCharset(StandardCharsets.UTF_8);
    for (Part part : form.parts()) {
      if (part.value() != null) builder.addTextBody(part.name(), part.value(), utf8);
      else if (form.streamed()) builder.addBinaryBody(part.name(), new FileInputStream(form.file()), binary, form.name());
      else builder.addBinaryBody(part.name(), form.file(), binary, form.name());
    }
    var post = new org.apache.http.client.methods.HttpPost(url);
    post.setEntity(builder.build());
    try (var client = org.apache.http.impl.client.HttpClients.createDefault(); var answer = client.execute(post)) {
      return new Answer(
          answer.getStatusLine().getStatusCode(), org.apache.http.util.EntityUtils.toString(answer.getEntity()));
    }
  }

  static Answer okHttp(String url, Form form) throws IOException {
    MultipartBody.Builder builder = new MultipartBody.Builder().setType(MultipartBody.FORM);
    MediaType binary = MediaType.get("application/octet-stream");
    for (Part part : form.parts()) {
      if (part.value() != null) builder.addFormDataPart(part.name(), part.value());
      else {
        RequestBody whole = RequestBody.create(Files.readAllBytes(form.file().toPath()), binary);
        RequestBody stream = ofUnknownLength(form.file(), binary);
        builder.addFormDataPart(part.name(), form.name(), form.streamed() ? stream : whole);
      }
    }
    Request request = new Request.Builder().url(url).post(builder.build()).build();
    OkHttpClient client = new OkHttpClient();
    try (var answer = client.newCall(request).execute()) {
      return new Answer(answer.code(), answer.body().string());
    } finally {
      client.dispatcher().executorService().shutdown();
      client.connectionPool().evictAll();
    }
  }

  static RequestBody ofUnknownLength(File file, MediaType type) {
    return new RequestBody() {
      @Override
      public MediaType contentType() {
        return type;
      }

      @Override
      public void writeTo(BufferedSink sink) throws IOException {
        try (var source = Okio.source(file)) {
          sink.writeAll(source);
        }
      }
    };
  }

  static Client clientOf(String name, String mode) {
    return switch (name) {
      case "httpclient5" -> apache5(HttpMultipartMode.valueOf(mode));
      case "httpmime" -> Forms::apache4;
      case "okhttp" -> Forms::okHttp;
      default -> throw new IllegalArgumentException(name);
    };
  }

  public static void main(String[] args) throws Exception {
    Client client = clientOf(args[0], args[1]);
    JSONObject job = new JSONObject(args[2]);
    for (Object form : job.getJSONArray("forms")) {
      Answer answer = client.post(job.getString("url"), Form.of((JSONObject) form));
      System.out.println(new JSONObject().put("status", answer.status()).put("body", answer.body()));
    }
  }
}
