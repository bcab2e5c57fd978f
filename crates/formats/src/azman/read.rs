//! Tree to nouns. Every element and attribute is either taken or listed as unknown.

use super::AzManError;
use super::store::{Application, Group, Operation, Role, Scope, Store, Task};
use crate::security::Sid;
use crate::vmxml::{Document, Node};

/// Most sentences about unknown things.
const MAX_UNKNOWN: usize = 100;

/// The attributes that every object has.
const COMMON: [&str; 3] = ["Guid", "Name", "Description"];

pub(super) fn store(document: Document) -> Result<Store, AzManError> {
    let root = document.root();
    if root.name() != "AzAdminManager" {
        return Err(AzManError::Root { file: document.file().to_owned(), found: root.name().to_owned() });
    }
    let mut reader = Reader { unknown: Vec::new() };
    reader.attributes(root, &["MajorVersion", "MinorVersion"]);
    let (mut groups, mut applications) = (Vec::new(), Vec::new());
    for child in root.children() {
        match child.name() {
            "AzApplicationGroup" => groups.push(reader.group(child)),
            "AzApplication" => applications.push(reader.application(child)),
            _ => reader.unknown_element(child, root),
        }
    }
    let major_version = attribute(root, "MajorVersion");
    let minor_version = attribute(root, "MinorVersion");
    Ok(Store { major_version, minor_version, groups, applications, unknown: reader.unknown, document })
}

struct Reader {
    unknown: Vec<String>,
}

impl Reader {
    fn application(&mut self, node: &Node) -> Application {
        self.attributes(node, &["ApplicationVersion"]);
        let (guid, name, description) = common(node);
        let mut application = Application { guid, name, description, ..Application::default() };
        for child in node.children() {
            match child.name() {
                "AzOperation" => application.operations.push(self.operation(child)),
                "AzTask" => application.tasks.push(self.task(child)),
                "AzRole" => application.roles.push(self.role(child)),
                "AzApplicationGroup" => application.groups.push(self.group(child)),
                "AzScope" => application.scopes.push(self.scope(child)),
                _ => self.unknown_element(child, node),
            }
        }
        application
    }

    fn scope(&mut self, node: &Node) -> Scope {
        self.attributes(node, &[]);
        let (guid, name, description) = common(node);
        let mut scope = Scope { guid, name, description, ..Scope::default() };
        for child in node.children() {
            match child.name() {
                "AzTask" => scope.tasks.push(self.task(child)),
                "AzRole" => scope.roles.push(self.role(child)),
                "AzApplicationGroup" => scope.groups.push(self.group(child)),
                _ => self.unknown_element(child, node),
            }
        }
        scope
    }

    fn operation(&mut self, node: &Node) -> Operation {
        self.attributes(node, &[]);
        let (guid, name, description) = common(node);
        let mut operation = Operation { guid, name, description, id: None };
        for child in node.children() {
            match child.name() {
                "OperationID" => {
                    operation.id = text(child).parse().ok();
                    if operation.id.is_none() {
                        self.remark(child, format!("the operation id '{}' is no number", text(child)));
                    }
                }
                _ => self.unknown_element(child, node),
            }
        }
        operation
    }

    fn task(&mut self, node: &Node) -> Task {
        self.attributes(node, &["RoleDefinition", "BizRuleImportedPath"]);
        let (guid, name, description) = common(node);
        let mut task = Task { guid, name, description, ..Task::default() };
        task.is_role_definition = attribute(node, "RoleDefinition").eq_ignore_ascii_case("true");
        task.has_rule = !attribute(node, "BizRuleImportedPath").is_empty();
        for child in node.children() {
            match child.name() {
                "OperationLink" => task.operation_links.push(text(child)),
                "TaskLink" => task.task_links.push(text(child)),
                "BizRule" | "BizRuleLanguage" => task.has_rule = true,
                _ => self.unknown_element(child, node),
            }
        }
        task
    }

    fn role(&mut self, node: &Node) -> Role {
        self.attributes(node, &[]);
        let (guid, name, description) = common(node);
        let mut role = Role { guid, name, description, ..Role::default() };
        for child in node.children() {
            match child.name() {
                "TaskLink" => role.task_links.push(text(child)),
                "OperationLink" => role.operation_links.push(text(child)),
                "AppMemberLink" => role.group_links.push(text(child)),
                "Member" => self.member(child, &mut role.members, &mut role.odd_members),
                _ => self.unknown_element(child, node),
            }
        }
        role
    }

    fn group(&mut self, node: &Node) -> Group {
        self.attributes(node, &["GroupType", "BizRuleImportedPath"]);
        let (guid, name, description) = common(node);
        let kind = attribute(node, "GroupType");
        let mut group = Group { guid, name, description, kind, ..Group::default() };
        for child in node.children() {
            match child.name() {
                "Member" => self.member(child, &mut group.members, &mut group.odd_members),
                "NonMember" => self.member(child, &mut group.non_members, &mut group.odd_members),
                "AppMemberLink" => group.group_links.push(text(child)),
                "AppNonMemberLink" => group.non_group_links.push(text(child)),
                "LdapQuery" => group.ldap_query = text(child),
                _ => self.unknown_element(child, node),
            }
        }
        group
    }

    fn member(&mut self, node: &Node, members: &mut Vec<Sid>, odd: &mut Vec<String>) {
        let text = text(node);
        match text.parse() {
            Ok(sid) => members.push(sid),
            Err(_) => odd.push(text),
        }
    }

    fn attributes(&mut self, node: &Node, known: &[&str]) {
        for attribute in node.attributes() {
            let name = attribute.name.as_str();
            if !COMMON.contains(&name) && !known.contains(&name) {
                let what =
                    format!("element '{}' has the unknown attribute '{name}' = '{}'", node.name(), attribute.value);
                self.remark(node, what);
            }
        }
    }

    fn unknown_element(&mut self, node: &Node, parent: &Node) {
        self.remark(node, format!("element '{}' in '{}' is unknown", node.name(), parent.name()));
    }

    fn remark(&mut self, node: &Node, what: String) {
        if self.unknown.len() < MAX_UNKNOWN {
            self.unknown.push(format!("Line {}: {what}.", node.line()));
        }
    }
}

fn common(node: &Node) -> (String, String, String) {
    (attribute(node, "Guid"), attribute(node, "Name"), attribute(node, "Description"))
}

fn attribute(node: &Node, name: &str) -> String {
    node.attributes().iter().find(|a| a.name == name).map(|a| a.value.clone()).unwrap_or_default()
}

/// The text of an element, without the white space around it.
fn text(node: &Node) -> String {
    node.value().map(|value| value.as_str().trim().to_owned()).unwrap_or_default()
}
