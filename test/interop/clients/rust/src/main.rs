//! tus <job>: uploads a file with tus_client; resumes what an earlier process with the same store began. Prints the URL.

use std::collections::HashMap;
use std::path::Path;
use std::{env, error::Error, fs};

use tus_client::Client;

fn main() -> Result<(), Box<dyn Error>> {
    let job: serde_json::Value = serde_json::from_str(&env::args().nth(1).ok_or("no job")?)?;
    let text = |name: &str| job[name].as_str().unwrap_or_default().to_owned();
    let file = text("file");
    let path = Path::new(&file);
    let store = format!("{}/url", text("store"));
    let client = match job["options"]["override"].as_bool() {
        Some(true) => Client::with_method_override(reqwest::Client::new()),
        _ => Client::new(reqwest::Client::new()),
    };

    client.get_server_info(&text("endpoint"))?;
    let url = match fs::read_to_string(&store) {
        Ok(url) => url,
        Err(_) => {
            let metadata = HashMap::from([("filename".to_owned(), text("name"))]);
            let url = client.create_with_metadata(&text("endpoint"), path, metadata)?;
            fs::write(&store, &url)?;
            url
        }
    };
    // The client reports an empty file as unreadable.
    if path.metadata()?.len() > 0 {
        let chunk_size = job["options"]["chunkSize"].as_u64().unwrap_or(u32::MAX.into());
        client.upload_with_chunk_size(&url, path, chunk_size as usize)?;
    }
    println!("{url}");
    Ok(())
}
