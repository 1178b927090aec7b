import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Java's own client as it is by default: it wishes for HTTP/2 along with its first request. */
public class Post {
    public static void main(String[] arguments) throws Exception {
        URI address = URI.create(arguments[0]);
        Path photo = Path.of(arguments[1]);
        byte[] head = String.join("\r\n", "--b",
                "Content-Disposition: form-data; name=\"image\"; filename=\"photo.jpg\"",
                "Content-Type: image/jpeg", "", "").getBytes(StandardCharsets.UTF_8);
        byte[] end = "\r\n--b--\r\n".getBytes(StandardCharsets.UTF_8);
        BodyPublisher form = BodyPublishers.ofByteArrays(List.of(head, Files.readAllBytes(photo), end));
        post(address, "multipart/form-data; boundary=b", form);
        post(address, "image/jpeg", BodyPublishers.ofFile(photo));
    }

    private static void post(URI address, String type, BodyPublisher body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(address).header("Content-Type", type).POST(body).build();
        System.out.println(HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body());
    }
}
