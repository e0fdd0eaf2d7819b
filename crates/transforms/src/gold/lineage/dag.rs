//! The picture of a lake: which tables are made of which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use medallion_definition::catalogue::history_name;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::{Layer, TableId};

use crate::error::TransformError;
use crate::gold::{Input, inputs, levels};

/// A table of the source or of the lake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DagNode {
    /// A table in MySQL.
    Source(TableId),
    /// A table of Bronze, Silver or Quarantine.
    Table(Input),
    /// A model.
    Model {
        /// From 1; a model reads only models of smaller levels.
        level: usize,
        /// Its table.
        table: Input,
    },
}

impl DagNode {
    /// The layer, unless it is a table of the source.
    pub fn layer(&self) -> Option<Layer> {
        match self {
            DagNode::Source(_) => None,
            DagNode::Table(table) | DagNode::Model { table, .. } => Some(table.layer),
        }
    }
}

impl fmt::Display for DagNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DagNode::Source(table) => write!(f, "{table}"),
            DagNode::Table(table) | DagNode::Model { table, .. } => write!(f, "{table}"),
        }
    }
}

/// Tables and what is made of them. Its text is a tree from the sources down: a table that was
/// shown with what is made of it ends in `…` when it comes again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dag {
    /// Every table.
    pub nodes: BTreeSet<DagNode>,
    /// From a table to one that is made of it.
    pub edges: BTreeSet<(DagNode, DagNode)>,
}

/// The lake as a graph.
///
/// # Errors
/// When a model's query does not parse or names no table, and [`TransformError::Circle`].
pub fn dag(lake: &LakeDefinition) -> Result<Dag, TransformError> {
    let mut dag = Dag::default();
    for contract in &lake.tables {
        let table = |layer, table| DagNode::Table(Input { layer, table });
        let name = contract.table.lake_table();
        let bronze = table(Layer::Bronze, name.clone());
        dag.edge(DagNode::Source(contract.table.clone()), bronze.clone());
        dag.edge(bronze.clone(), table(Layer::Silver, name.clone()));
        dag.edge(bronze.clone(), table(Layer::Quarantine, name));
        if contract.history {
            dag.edge(bronze, table(Layer::Silver, history_name(contract)));
        }
    }
    let mut models = BTreeMap::new();
    for (i, level) in levels(lake)?.into_iter().enumerate() {
        for model in level {
            let table = Input { layer: Layer::Gold, table: model.name.to_string() };
            let node = DagNode::Model { level: i + 1, table: table.clone() };
            for input in inputs(lake, model)? {
                let from =
                    models.get(&input).cloned().unwrap_or_else(|| DagNode::Table(input.clone()));
                dag.edge(from, node.clone());
            }
            dag.nodes.insert(node.clone());
            models.insert(table, node);
        }
    }
    Ok(dag)
}

impl Dag {
    fn edge(&mut self, from: DagNode, to: DagNode) {
        self.nodes.extend([from.clone(), to.clone()]);
        self.edges.insert((from, to));
    }

    /// What is made of a table, in order.
    pub fn below<'d>(&'d self, node: &'d DagNode) -> impl Iterator<Item = &'d DagNode> {
        self.edges.iter().filter(move |(from, _)| from == node).map(|(_, to)| to)
    }

    /// The graph in the language of Graphviz, from left to right.
    pub fn to_dot(&self) -> String {
        let mut dot = "digraph lake {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
        for node in &self.nodes {
            let style = match node.layer() {
                None => "shape=cylinder",
                Some(Layer::Bronze) => "style=filled, fillcolor=\"#e8c9a0\"",
                Some(Layer::Silver) => "style=filled, fillcolor=\"#d9dde2\"",
                Some(Layer::Gold) => "style=filled, fillcolor=\"#f5dd7a\"",
                Some(Layer::Quarantine) => "style=dashed",
            };
            // Names are made of letters, digits, `_` and `.`. Writing to a text cannot fail.
            let _ = writeln!(dot, "  \"{node}\" [{style}];");
        }
        for (from, to) in &self.edges {
            let _ = writeln!(dot, "  \"{from}\" -> \"{to}\";");
        }
        dot.push_str("}\n");
        dot
    }
}

impl fmt::Display for Dag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made: BTreeSet<&DagNode> = self.edges.iter().map(|(_, to)| to).collect();
        let mut shown = BTreeSet::new();
        // Depth first, children in order: the last on the list is the next.
        let mut todo: Vec<(usize, &DagNode)> =
            self.nodes.iter().rev().filter(|n| !made.contains(n)).map(|n| (0, n)).collect();
        while let Some((depth, node)) = todo.pop() {
            write!(f, "{:indent$}{node}", "", indent = depth * 2)?;
            if let DagNode::Model { level, .. } = node {
                write!(f, " (level {level})")?;
            }
            let below: Vec<&DagNode> = self.below(node).collect();
            if !shown.insert(node) && !below.is_empty() {
                writeln!(f, " …")?;
                continue;
            }
            writeln!(f)?;
            todo.extend(below.into_iter().rev().map(|n| (depth + 1, n)));
        }
        Ok(())
    }
}
