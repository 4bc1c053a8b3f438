package org.springframework.cloud.zookeeper.discovery;

import java.util.Map;

/** The payload of Spring Cloud Zookeeper: its name and properties are in the JSON. */
public final class ZookeeperInstance {
  private final String id;
  private final String name;
  private final Map<String, String> metadata;

  public ZookeeperInstance(String id, String name, Map<String, String> metadata) {
    this.id = id;
    this.name = name;
    this.metadata = metadata;
  }

  public String getId() {
    return id;
  }

  public String getName() {
    return name;
  }

  public Map<String, String> getMetadata() {
    return metadata;
  }
}
