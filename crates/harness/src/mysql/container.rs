//! MySQL in a container, if a Docker engine answers.

use std::time::Duration;

use testcontainers::bollard::models::PortBinding;
use testcontainers::core::{IntoContainerPort, Mount};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

use super::server::flags;
use super::{Flavor, Kind, MySqlRequest, MySqlServer, one_line, wait_for_version};
use crate::process::Supervised;

/// Variables that name another image, for instance of a mirror, and the image otherwise. Both
/// images know the same variables of their own.
const MYSQL_IMAGE: (&str, &str) = ("MEDALLION_MYSQL_IMAGE", "mysql:8.4");
const MARIADB_IMAGE: (&str, &str) = ("MEDALLION_MARIADB_IMAGE", "mariadb:10.11");
/// Port in the container.
const PORT: u16 = 3306;
/// How long a pull and the creation of a container may take.
const CREATE_LIMIT: Duration = Duration::from_secs(300);
/// How long the server in the container may take to answer.
const READY_LIMIT: Duration = Duration::from_secs(90);
/// How long the removal may take.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A running container, removed with its data when dropped or stopped.
#[derive(Debug)]
pub(super) struct Container {
    container: ContainerAsync<GenericImage>,
    /// Removes the container even if the harness is killed.
    keeper: Supervised,
}

impl Container {
    pub(super) async fn stop(mut self) {
        // The keeper tries again what does not work here in time.
        drop(tokio::time::timeout(STOP_LIMIT, self.container.rm()).await);
        drop(self.keeper.stop().await);
    }
}

pub(super) async fn start(
    request: &MySqlRequest,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<MySqlServer, String> {
    let (variable, image) = match request.flavor {
        Flavor::MySql => MYSQL_IMAGE,
        Flavor::MariaDb => MARIADB_IMAGE,
    };
    let image = std::env::var(variable).unwrap_or_else(|_| image.to_owned());
    engine_answers().await?;
    progress(&format!("starting a container of `{image}`"));
    let password = uuid::Uuid::new_v4().simple().to_string();
    let (name, tag) = split_tag(&image);
    let container = GenericImage::new(name, tag)
        .with_exposed_port(PORT.tcp())
        .with_env_var("MYSQL_ROOT_PASSWORD", &password)
        .with_env_var("MYSQL_ROOT_HOST", "%")
        .with_mount(Mount::tmpfs_mount("/var/lib/mysql"))
        .with_host_config_modifier(|config| {
            // Loopback only; the engine picks a free port.
            let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: None };
            let bindings = [(PORT.tcp().to_string(), Some(vec![binding]))];
            config.publish_all_ports = Some(false);
            config.port_bindings = Some(bindings.into());
        })
        .with_cmd(flags(request.flavor).chain(request.extra_flags.iter().cloned()));
    let container = match tokio::time::timeout(CREATE_LIMIT, container.start()).await {
        Ok(started) => started.map_err(|error| format!("`{image}`: {}", one_line(&error)))?,
        Err(_) => return Err(format!("`{image}`: no container within {CREATE_LIMIT:?}")),
    };
    std::fs::create_dir_all(&request.work_dir).map_err(|error| one_line(&error))?;
    let log_file = request.work_dir.join("container.log");
    let keeper = Supervised::keep_container(&request.supervisor, container.id(), &log_file)
        .map_err(|error| one_line(&error))?;
    let port = container.get_host_port_ipv4(PORT.tcp()).await.map_err(|error| one_line(&error))?;
    let url = format!("mysql://root:{password}@127.0.0.1:{port}");
    let version = wait_for_version(&url, READY_LIMIT).await?;
    let origin = format!("container of `{image}`");
    let kind = Kind::Container(Box::new(Container { container, keeper }));
    Ok(MySqlServer { url, version, origin, kind })
}

async fn engine_answers() -> Result<(), String> {
    let engine = testcontainers::core::client::docker_client_instance();
    let ping = async {
        let engine = engine.await.map_err(|error| one_line(&error))?;
        engine.ping().await.map_err(|error| one_line(&error))
    };
    match tokio::time::timeout(Duration::from_secs(3), ping).await {
        Ok(answer) => answer.map(drop).map_err(|reason| format!("no Docker engine: {reason}")),
        Err(_) => Err("no Docker engine: it did not answer within 3 s".to_owned()),
    }
}

/// `registry:5000/name:tag` into name and tag.
fn split_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_name_is_split_at_its_tag_not_at_its_port() {
        assert_eq!(split_tag("mysql:8.4"), ("mysql", "8.4"));
        assert_eq!(split_tag("mirror:5000/mysql:8.4"), ("mirror:5000/mysql", "8.4"));
        assert_eq!(split_tag("mirror:5000/mysql"), ("mirror:5000/mysql", "latest"));
    }
}
