import io.tus.java.client.ProtocolException;
import io.tus.java.client.TusClient;
import io.tus.java.client.TusExecutor;
import io.tus.java.client.TusURLStore;
import io.tus.java.client.TusUpload;
import io.tus.java.client.TusUploader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.IntStream;
import org.json.JSONObject;

/** Tus job: uploads a file with tus-java-client; resumes what an earlier process with the same store began. Prints the URL. */
class Tus {
  /** Stores one URL in a file. The Android client has such a store in its preferences. */
  record FileStore(Path path) implements TusURLStore {
    @Override
    public void set(String fingerprint, URL url) {
      try {
        Files.writeString(path, url.toString());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public URL get(String fingerprint) {
      try {
        return Files.exists(path) ? new URL(Files.readString(path)) : null;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void remove(String fingerprint) {
      path.toFile().delete();
    }
  }

  public static void main(String[] args) throws Exception {
    JSONObject job = new JSONObject(args[0]);
    TusClient client = new TusClient();
    client.setUploadCreationURL(new URL(job.getString("endpoint")));
    client.enableResuming(new FileStore(Path.of(job.getString("store"), "url")));
    TusExecutor executor = new TusExecutor() {
      @Override
      protected void makeAttempt() throws ProtocolException, IOException {
        TusUpload upload = new TusUpload(new File(job.getString("file")));
        upload.setMetadata(Map.of("filename", job.getString("name")));
        TusUploader uploader = client.resumeOrCreateUpload(upload);
        uploader.setChunkSize(64 * 1024);
        uploader.setRequestPayloadSize(job.getJSONObject("options").optInt("chunkSize", 10 * 1024 * 1024));
        while (uploader.uploadChunk() > -1) {}
        uploader.finish();
        System.out.println(uploader.getUploadURL());
      }
    };
    executor.setDelays(IntStream.range(0, 60).map(i -> Math.min(i * 5, 100)).toArray());
    executor.makeAttempts();
  }
}
