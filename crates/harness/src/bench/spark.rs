//! Spark with Iceberg's runtime, from their Python packages, as a peer.

use std::path::{Path, PathBuf};

use super::silver::measure::Program;
use crate::failure::HarnessError;

/// Where things lie.
#[derive(Clone, Debug)]
pub(super) struct Spark {
    /// With `bin/spark-submit`.
    home: PathBuf,
    /// The runtime of Iceberg.
    jar: PathBuf,
    python: PathBuf,
}

impl Spark {
    /// Finds them in the packages of this Python; Java has to be there too.
    ///
    /// # Errors
    /// When one of them is missing.
    pub(super) async fn find(python: &Path) -> Result<Spark, HarnessError> {
        Program::new("java").arg("-version").run().await?;
        let program = Program::new(python).args([
            "-c",
            "import json, os, pyspark, snowpark_connect_deps_iceberg as iceberg; \
             print(json.dumps([os.path.dirname(pyspark.__file__), list(iceberg.__path__)[0]]))",
        ]);
        let [home, iceberg]: [PathBuf; 2] = program.json().await?;
        let jar = iceberg.join("jars/iceberg-spark-runtime-3.5_2.12-1.10.2.jar");
        Ok(Spark { home, jar, python: python.to_owned() })
    }

    /// `spark-submit` with two threads and this heap, up to and without the script.
    pub(super) fn submit(&self, heap: &str, scratch: &Path, settings: &[String]) -> Program {
        let scratch = scratch.display();
        let mut program = Program::new(self.home.join("bin/spark-submit"));
        program = program.args(["--master", "local[2]", "--driver-memory", heap, "--jars"]);
        program = program.arg(&self.jar);
        let common = [
            "spark.ui.enabled=false".to_owned(),
            "spark.sql.session.timeZone=UTC".to_owned(),
            "spark.driver.host=127.0.0.1".to_owned(),
            "spark.driver.bindAddress=127.0.0.1".to_owned(),
            format!("spark.local.dir={scratch}"),
            format!(
                "spark.driver.extraJavaOptions=-Djava.io.tmpdir={scratch} \
                 -Dderby.system.home={scratch}"
            ),
        ];
        for setting in common.iter().chain(settings) {
            program = program.arg("--conf").arg(setting);
        }
        program.variables(vec![
            ("SPARK_HOME".to_owned(), self.home.display().to_string()),
            ("PYSPARK_PYTHON".to_owned(), self.python.display().to_string()),
        ])
    }
}
